import type { Subscription } from '@crowdvision/bus';
import { followTelemetry, type TelemetryParts } from './on-telemetry.ts';
import { Upkeep, type UpkeepParts } from './upkeep.ts';

/**
 * The work that one process does for all of twin: takes the stream in, in its order (a cursor that several processes
 * move would say nothing), and keeps the store small. Rejects while the bus is away.
 */
export async function lead(parts: TelemetryParts & UpkeepParts): Promise<Subscription> {
	const telemetry = await followTelemetry(parts);
	const upkeep = Upkeep.start(parts);
	return {
		close: async () => {
			await telemetry.close();
			await upkeep.stop();
		},
	};
}
