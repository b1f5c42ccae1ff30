import type { Bus, BusEntry, Subscription } from '@crowdvision/bus';
import { type Alert, CrowdVisionError, type Reading, reading, STREAMS } from '@crowdvision/contracts';
import type { Turns } from './turns.ts';
import { isWatched, type Watchman } from './watchman.ts';

export interface TelemetryConsumerParts {
	bus: Bus;
	watchman: Watchman;
	turns: Turns;
	/** Name of this process among those of the group; the same after a restart. */
	member: string;
	onAlerts: (alerts: Alert[]) => void;
}

/** Gives the watchman the readings that rules look at. They are acknowledged when what comes of them is kept. */
export function followTelemetry({ bus, watchman, turns, member, onAlerts }: TelemetryConsumerParts): Promise<Subscription> {
	const take = async (entries: BusEntry[]) => {
		const readings = entries.map(({ data, position }) => ({ reading: parse(data), position }));
		const watched = readings.filter(({ reading: { metric } }) => isWatched(metric));
		if (watched.length > 0) onAlerts(await watchman.observe(watched, Date.now()));
	};
	return bus.consume(STREAMS.telemetry, 'notification', { member }, (entries) => turns.take(() => take(entries)));
}

/** @throws CrowdVisionError for what is no reading: the bus sets it aside. */
function parse(data: string): Reading {
	const value: unknown = JSON.parse(data);
	if (reading.check(value)) return value;
	const problem = reading.problem(value);
	throw new CrowdVisionError('invalid_reading', `${problem?.path} ${problem?.message}`);
}
