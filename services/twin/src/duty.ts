import { once } from 'node:events';
import { hostname } from 'node:os';
import type { Subscription } from '@crowdvision/bus';
import { BusLinks, Gauge, type Logger, type Registry } from '@crowdvision/service-kit';
import { Lease, type Store } from '@crowdvision/store';
import { TelemetryConsumer, type TelemetryConsumerParts } from './on-telemetry.ts';
import { Upkeep, type UpkeepParts } from './upkeep.ts';

/** Longer than a read of the stream blocks: a replica that stands still has none under way when another begins. */
const TTL_MS = 6000;

export type DutyParts = TelemetryConsumerParts & UpkeepParts;

/**
 * What one process does for all of twin: takes the stream in, in its order (a cursor that several move tells nothing),
 * and keeps the store small. Rejects while the bus is away.
 */
export async function takeDuty(parts: DutyParts): Promise<Subscription> {
	const consuming = await new TelemetryConsumer(parts).follow();
	const upkeep = Upkeep.start(parts);
	return {
		close: async () => {
			await consuming.close();
			await upkeep.stop();
		},
	};
}

/** Takes duty whenever no other replica has it, until closed. */
export function standBy(
	store: Store,
	duty: () => Promise<Subscription>,
	{ metrics, logger }: { metrics: Registry; logger: Logger },
): Subscription {
	const onDuty = new Gauge({
		name: 'twin_on_duty',
		help: '1 in the replica that takes readings in',
		registers: [metrics],
	});
	const lease = new Lease(store, { name: 'duty', holder: hostname(), ttlMs: TTL_MS, logger });
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
