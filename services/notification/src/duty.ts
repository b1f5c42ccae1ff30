import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import type { Subscription } from '@crowdvision/bus';
import { BusLinks, Gauge, type Logger, type Registry } from '@crowdvision/service-kit';
import { Lease, type Store } from '@crowdvision/store';
import type { Outbox } from './alerts/outbox.ts';
import type { BuildingReviews } from './on-building.ts';
import { followTelemetry, type TelemetryConsumerParts } from './on-telemetry.ts';

export interface DutyParts extends TelemetryConsumerParts {
	reviews: BuildingReviews;
	outbox: Outbox;
}

/**
 * What one replica does for all of them: reads the stream in its order, reviews buildings, announces. It begins with
 * what a crash left undone, and ends when the subscription is closed. Rejects while the bus is away.
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

export interface ReplicaOptions {
	/** How long a replica that is gone keeps the others waiting. Default 6 s. */
	ttlMs?: number;
}

export interface StandByParts extends ReplicaOptions {
	store: Store;
	duty: () => Promise<Subscription>;
	metrics: Registry;
	logger: Logger;
}

/** Longer than a read of the stream blocks: a replica that stands still has none under way when another begins. */
const TTL_MS = 6000;

/** Takes duty whenever no other replica has it, until closed. */
export function standBy({ store, duty, metrics, logger, ttlMs = TTL_MS }: StandByParts): Subscription {
	const onDuty = new Gauge({
		name: 'notification_on_duty',
		help: '1 in the replica that reads the stream and announces',
		registers: [metrics],
	});
	const lease = new Lease(store, {
		name: 'duty',
		holder: `${hostname()}-${randomBytes(4).toString('hex')}`,
		ttlMs,
		logger,
	});
	return lease.hold(async (signal) => {
		const links = new BusLinks(logger);
		onDuty.set(1);
		try {
			await links.open(duty);
			if (!signal.aborted) await once(signal, 'abort');
		} finally {
			onDuty.set(0);
			await links.close();
		}
	});
}
