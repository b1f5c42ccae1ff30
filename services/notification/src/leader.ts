import type { Subscription } from '@crowdvision/bus';
import type { Outbox } from './alerts/outbox.ts';
import type { Dispatcher } from './delivery/dispatcher.ts';
import type { BuildingReviews } from './evaluation/building-reviews.ts';
import { followTelemetry, type TelemetryParts } from './on-telemetry.ts';

export interface LeaderParts extends TelemetryParts {
	reviews: BuildingReviews;
	outbox: Outbox;
	dispatcher: Dispatcher;
}

/**
 * The work that one replica does for all: evaluates the rules for the readings of the stream, in order, and for changed
 * buildings, and announces alerts. It starts with what the previous leader left undone. Rejects while the bus is away.
 */
export async function lead({ reviews, outbox, dispatcher, ...telemetry }: LeaderParts): Promise<Subscription> {
	const readings = await followTelemetry(telemetry);
	reviews.start();
	outbox.start();
	dispatcher.start();
	return {
		close: async () => {
			await readings.close();
			await reviews.stop();
			await outbox.stop();
			await dispatcher.stop();
		},
	};
}
