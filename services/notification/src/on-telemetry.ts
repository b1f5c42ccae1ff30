import type { Bus, BusEntry, Subscription } from '@crowdvision/bus';
import { type Alert, CrowdVisionError, type Reading, reading, STREAMS } from '@crowdvision/contracts';
import type { Turns } from '@crowdvision/store';
import type { Watchman } from './evaluation/rule-evaluator.ts';

export interface TelemetryConsumerParts {
	bus: Bus;
	watchman: Watchman;
	turns: Turns;
	onAlerts: (alerts: Alert[]) => void;
}

/**
 * Whoever is on duty has this name in the group: there is one at a time, and one that takes over begins with what the
 * one before had in its hands. Under a name of its own it would get that much later, after what is newer.
 */
const MEMBER = 'on-duty';

/** Gives the watchman the readings. They are acknowledged when what comes of them is kept. */
export function followTelemetry({ bus, watchman, turns, onAlerts }: TelemetryConsumerParts): Promise<Subscription> {
	const take = async (entries: BusEntry[]) => {
		const readings = entries.map(({ data, position }) => ({ reading: parse(data), position }));
		onAlerts(await watchman.observe(readings, Date.now()));
	};
	return bus.consume(STREAMS.telemetry, 'notification', { member: MEMBER }, (entries) =>
		turns.take(() => take(entries)),
	);
}

/** @throws CrowdVisionError for what is no reading: the bus sets it aside. */
function parse(data: string): Reading {
	const value: unknown = JSON.parse(data);
	if (reading.check(value)) return value;
	const problem = reading.problem(value);
	throw new CrowdVisionError('invalid_reading', `${problem?.path} ${problem?.message}`);
}
