import type { Subscription } from '@crowdvision/bus';
import type { Outbox } from './alerts/outbox.ts';
import type { BuildingReviews } from './on-building.ts';
import { followTelemetry, type TelemetryParts } from './on-telemetry.ts';

export interface LeaderParts extends TelemetryParts {
	reviews: BuildingReviews;
	outbox: Outbox;
}

/**
 * The work that one replica does for all of them: reads the stream in its order, reviews buildings, announces alerts. It
 * begins with what a crash left undone, and ends when the subscription is closed. Rejects while the bus is away.
 */
export async function lead({ reviews, outbox, ...telemetry }: LeaderParts): Promise<Subscription> {
	const readings = await followTelemetry(telemetry);
	reviews.start();
	outbox.start();
	return {
		close: async () => {
			await readings.close();
			await reviews.stop();
			await outbox.stop();
		},
	};
}
