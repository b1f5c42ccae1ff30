import type { Bus, BusEntry, Subscription } from '@crowdvision/bus';
import { CrowdVisionError, freshMs, reading, STREAMS } from '@crowdvision/contracts';
import { type Counter, type Logger, StreamProgress } from '@crowdvision/service-kit';
import type { PlacedReading, Readings } from '@crowdvision/store';

const STREAM = STREAMS.telemetry;

export interface TelemetryConsumerParts {
	bus: Bus;
	readings: Readings;
	logger: Logger;
	/** Name of this process among those of the group; the same after a restart. */
	member: string;
	taken: Counter;
}

/**
 * Takes readings in, also of buildings and rooms that nobody registered yet: they are there when somebody does. They
 * are acknowledged when they are stored, so whatever ends this process in between has them given again, and stored
 * once.
 */
export class TelemetryConsumer {
	readonly #parts: TelemetryConsumerParts;
	readonly #progress: StreamProgress;

	constructor(parts: TelemetryConsumerParts) {
		this.#parts = parts;
		this.#progress = new StreamProgress(parts.bus, STREAM, () => parts.readings.progress(STREAM), parts.logger);
	}

	/** A store that was put back to a backup is given again what came after it, as far as the stream still holds it. */
	async follow(): Promise<Subscription> {
		const { bus, member } = this.#parts;
		return bus.consume(STREAM, 'twin', { member, from: await this.#progress.current() }, (entries) =>
			this.#take(entries),
		);
	}

	async #take(entries: BusEntry[]): Promise<void> {
		const batch = entries.map((entry): PlacedReading => ({ reading: parse(entry.data), position: entry.position }));
		for (const { gap, position } of entries) {
			if (gap !== undefined)
				this.#parts.logger.warn({ gap, position }, 'readings are missing: their gateway could not keep them');
		}
		// What is given again does not take the cursor back.
		const progress = this.#progress.later(await this.#progress.current(), entries.at(-1)!.position);
		await this.#parts.readings.insert(
			batch,
			{ stream: STREAM, position: progress },
			{
				holdMs: Math.max(...batch.map(({ reading: { metric } }) => freshMs(metric))),
				after: (a, b) => this.#progress.isAfter(a, b),
			},
		);
		this.#progress.moved(progress);
		this.#parts.taken.inc(batch.length);
	}
}

/** @throws CrowdVisionError for what is no reading: the bus sets it aside. */
function parse(data: string): PlacedReading['reading'] {
	const value: unknown = JSON.parse(data);
	if (reading.check(value)) return value;
	const problem = reading.problem(value);
	throw new CrowdVisionError('invalid_reading', `${problem?.path} ${problem?.message}`);
}
