import { once } from 'node:events';
import { Gauge, type Registry } from 'prom-client';
import type { Logger } from '../logger.ts';
import { BusLinks, type Link } from './bus-links.ts';

export interface LeaderParts {
	open: () => Promise<Link>;
	metrics: Registry;
	/** Name and help text of the gauge. */
	name: string;
	help: string;
	logger: Logger;
}

/**
 * The work of a leader, for `electLeader`: opens the link `open` whenever this process becomes the leader, waiting for
 * the bus as BusLinks does, and closes it when leadership ends. Registers a gauge that reads 1 while it leads, else 0.
 */
export function onLeading({ open, metrics, name, help, logger }: LeaderParts): (signal: AbortSignal) => Promise<void> {
	const gauge = new Gauge({ name, help, registers: [metrics] });
	return async (signal) => {
		const links = new BusLinks(logger);
		gauge.set(1);
		try {
			await links.open(open);
			if (!signal.aborted) await once(signal, 'abort');
		} finally {
			gauge.set(0);
			await links.close();
		}
	};
}
