import type { Subscription } from '@crowdvision/bus';
import { type MaintenanceParts, startMaintenance } from './maintenance.ts';
import { followTelemetry, type TelemetryParts } from './on-telemetry.ts';

/**
 * The work that one replica does for all: stores the readings of the stream in order (progress that several processes
 * move would mean nothing), and maintains the store. Rejects while the bus is away.
 */
export async function lead(parts: TelemetryParts & MaintenanceParts): Promise<Subscription> {
	const telemetry = await followTelemetry(parts);
	const maintenance = startMaintenance(parts);
	return {
		close: async () => {
			await telemetry.close();
			await maintenance.stop();
		},
	};
}
