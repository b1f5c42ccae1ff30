import { type Bus, type BusEntry, type Position, START, type Subscription } from '@crowdvision/bus';
import { CrowdVisionError, reading, STREAMS } from '@crowdvision/contracts';
import type { Counter, Logger } from '@crowdvision/service-kit';
import type { PlacedReading, Readings } from './readings.ts';

const STREAM = STREAMS.telemetry;

export interface TelemetryConsumerParts {
	bus: Bus;
	readings: Readings;
	logger: Logger;
	/** Name of this process among those of the group; the same after a restart. */
	member: string;
	stored: Counter;
}

/**
 * Takes readings in. They are acknowledged when they are stored, so whatever ends this process in between has them given again, and
 * stored once.
 */
export class TelemetryConsumer {
	readonly #parts: TelemetryConsumerParts;
	/** As of this process; what is kept may be of another stream (the bus was changed, or lost its data) until it was looked at. */
	#progress: Position | undefined;

	constructor(parts: TelemetryConsumerParts) {
		this.#parts = parts;
	}

	follow(): Promise<Subscription> {
		const { bus, member } = this.#parts;
		return bus.consume(STREAM, 'twin', { member }, (entries) => this.#take(entries));
	}

	async #take(entries: BusEntry[]): Promise<void> {
		const { readings, stored } = this.#parts;
		const batch = entries.map((entry): PlacedReading => ({ reading: parse(entry.data), position: entry.position }));
		const progress = await this.#advancedTo(entries.at(-1)!.position);
		await readings.store(STREAM, batch, progress, (a, b) => this.#isAfter(a, b));
		this.#progress = progress;
		stored.inc(batch.length);
	}

	/** The later of `position` and how far it was taken in before: what is given again does not take it back. */
	async #advancedTo(position: Position): Promise<Position> {
		this.#progress ??= await this.#keptProgress();
		return this.#isAfter(this.#progress, position) ? this.#progress : position;
	}

	async #keptProgress(): Promise<Position> {
		const { bus, readings, logger } = this.#parts;
		const kept = await readings.progress(STREAM);
		if (kept === undefined || !this.#isAfter(kept, await bus.position(STREAM))) return kept ?? START;
		logger.warn({ kept }, 'the telemetry stream ends before what was taken in already: it is another one, beginning anew');
		return START;
	}

	#isAfter(a: Position, b: Position): boolean {
		try {
			return this.#parts.bus.compare(a, b) > 0;
		} catch {
			// One of them is of another kind of bus; the present one's goes on.
			return false;
		}
	}
}

/** @throws Error for what is no reading: it is set aside by the bus. */
function parse(data: string): PlacedReading['reading'] {
	const value: unknown = JSON.parse(data);
	if (reading.check(value)) return value;
	const problem = reading.problem(value);
	throw new CrowdVisionError('invalid_reading', `${problem?.path} ${problem?.message}`);
}
