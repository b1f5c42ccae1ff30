import type { Subscription } from '@crowdvision/bus';
import type { BuildingReviews } from './on-building.ts';
import { followTelemetry, type TelemetryConsumerParts } from './on-telemetry.ts';
import type { Outbox } from './outbox.ts';

export interface DutyParts extends TelemetryConsumerParts {
	reviews: BuildingReviews;
	outbox: Outbox;
}

/**
 * What one replica does for all of them: reads the stream in its order, reviews buildings, announces. It begins with what a crash left
 * undone, and ends when the subscription is closed. Rejects while the bus is away.
 */
export async function takeDuty({ reviews, outbox, ...telemetry }: DutyParts): Promise<Subscription> {
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
