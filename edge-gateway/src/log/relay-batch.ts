/** Reads the next readings for the relay, and puts them into the arguments of its script. */
import { telemetryChannel } from '@crowdvision/contracts';
import { type Gap, type Log, PayloadLines } from '@crowdvision/log';
import { buildingIdIn } from '../normalize/reading-encoder.ts';

/** About 4,000 readings. Redis does nothing else while it appends them, some 10 ms on a Raspberry Pi 4. */
const LIMITS = { maxRecords: 8192, maxBytes: 1024 * 1024 };

/** Consecutive readings of the log. */
export interface RelayBatch {
	count: number;
	/** The offset to read on from. */
	next: number;
	gaps: readonly Gap[];
	/** A newline after each reading. Valid until this reader's next read but one. */
	readings: Buffer;
	/** For each run of readings with the same channel, its length and the channel: `3 telemetry:b1\n`. */
	channels: string;
}

/**
 * Reads batches one after the other. Two take turns with the memory: one is read while Redis works on the other. Only
 * for one connection to Redis, as an abandoned one may still hold a batch.
 */
export class RelayReader {
	readonly #log: Log;
	#lines = new PayloadLines();
	#other = new PayloadLines();
	/** The batch that is being read ahead, and the offset from which it starts. */
	#ahead: { from: number; batch: Promise<RelayBatch> } | undefined;

	constructor(log: Log) {
		this.#log = log;
	}

	/** The readings from offset `from` on. @throws as `Log.read` */
	async read(from: number): Promise<RelayBatch> {
		const ahead = this.#ahead;
		this.#ahead = undefined;
		if (ahead?.from === from) return ahead.batch;
		// Its memory is free only when it has ended.
		await ahead?.batch.catch(() => undefined);
		return this.#read(from);
	}

	/** Starts to read from offset `from` on, if there is anything, for the next call of `read`. */
	readAhead(from: number): void {
		if (this.#ahead || this.#log.endOffset <= from) return;
		const batch = this.#read(from);
		// Reported by the `read` that gets it.
		batch.catch(() => undefined);
		this.#ahead = { from, batch };
	}

	/** Gives up what was read ahead, because the log may have changed since. */
	async forget(): Promise<void> {
		const ahead = this.#ahead;
		this.#ahead = undefined;
		await ahead?.batch.catch(() => undefined);
	}

	async #read(from: number): Promise<RelayBatch> {
		const lines = this.#lines;
		[this.#lines, this.#other] = [this.#other, lines];
		const { next, gaps } = await this.#log.readLines(from, LIMITS, lines);
		const count = lines.records.length;
		const readings = lines.bytes;
		return { count, next, gaps, readings, channels: channelsOf(readings) };
	}
}

const NEWLINE = '\n'.charCodeAt(0);

/** As RelayBatch.channels. */
function channelsOf(readings: Buffer): string {
	const runs: string[] = [];
	let building = '';
	let length = 0;
	for (let at = 0; at < readings.length; at = readings.indexOf(NEWLINE, at) + 1) {
		const next = buildingIdIn(readings, at, building);
		if (next !== building) {
			if (length > 0) runs.push(`${length} ${telemetryChannel(building)}`);
			building = next;
			length = 0;
		}
		length++;
	}
	if (length > 0) runs.push(`${length} ${telemetryChannel(building)}`);
	return runs.join('\n');
}
