import { CrowdVisionError, type Reading, reading, STREAMS } from '@crowdvision/contracts';
import type { Bus, ConsumeOptions, Position, Subscription } from './bus.ts';

/** A reading as it comes out of the stream `telemetry`. */
export interface StreamedReading {
	reading: Reading;
	position: Position;
	/** What is missing before it: a JSON array of `ReadingGap`. */
	gap?: string;
}

/**
 * Consumes the stream `telemetry` in a group, as Bus.consume does: `handle` gets a batch of valid readings, in order,
 * and they are acknowledged when it resolves. An entry that is not a valid reading ends in the dead letters.
 */
export function consumeReadings(
	bus: Bus,
	group: string,
	options: ConsumeOptions,
	handle: (readings: StreamedReading[]) => Promise<void>,
): Promise<Subscription> {
	return bus.consume(STREAMS.telemetry, group, options, async (entries) =>
		handle(entries.map(({ data, ...entry }) => ({ reading: parse(data), ...entry }))),
	);
}

/** @throws SyntaxError for what is not JSON; CrowdVisionError `invalid_reading` for what is not a reading. */
function parse(data: string): Reading {
	const value: unknown = JSON.parse(data);
	if (reading.check(value)) return value;
	const problem = reading.problem(value);
	throw new CrowdVisionError('invalid_reading', `${problem?.path} ${problem?.message}`);
}
