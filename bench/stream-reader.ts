import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Histogram } from './load/histogram.ts';
import { seqOf } from './load/reading.ts';
import { ReceivedReadings } from './load/received-readings.ts';

const STREAM = 'telemetry';
const GROUP = 'bench';
const BATCH = 2000;

/**
 * Reads every entry of the telemetry stream, counts the readings, and records how long after sending they arrived. Its
 * consumer group keeps the stream from being trimmed before it was read.
 */
export class StreamReader {
	readonly readings = new ReceivedReadings();
	readonly arrival = new Histogram();
	readonly #redis: Redis;
	#last = '0-0';
	#from = Number.POSITIVE_INFINITY;
	#to = Number.POSITIVE_INFINITY;
	#following = false;
	#loop: Promise<void> | undefined;

	private constructor(redis: Redis) {
		this.#redis = redis;
	}

	/** Must be opened before anything is appended. */
	static async open(url: string): Promise<StreamReader> {
		const redis = new Redis(url, { lazyConnect: true });
		await redis.connect();
		await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
		return new StreamReader(redis);
	}

	/** Only readings sent in this time (epoch ms) are recorded in `arrival`. */
	measure(from: number, to = Number.POSITIVE_INFINITY): void {
		this.#from = from;
		this.#to = to;
	}

	/** Reads continuously from now on; `arrival` then means arrival at a reader, not in Redis. */
	follow(): void {
		this.#following = true;
		this.#loop = (async () => {
			while (this.#following) {
				const began = performance.now();
				if ((await this.#read(true)) === 0) await sleep(Math.max(0, 1 - (performance.now() - began)));
			}
		})();
	}

	/** How many entries have been added to the stream, trimmed ones too. */
	async added(): Promise<number> {
		const info = (await this.#redis.xinfo('STREAM', STREAM)) as unknown[];
		return Number(info[info.indexOf('entries-added') + 1]);
	}

	/** Reads until `expected` readings were received, or none has arrived for `patienceMs`. */
	async drain(expected: number, patienceMs: number): Promise<void> {
		const live = this.#following;
		this.#following = false;
		await this.#loop;
		for (let last = Date.now(); ; ) {
			if ((await this.#read(live)) > 0) last = Date.now();
			else if (this.readings.received >= expected || Date.now() - last > patienceMs) return;
			else await sleep(20);
		}
	}

	async close(): Promise<void> {
		this.#following = false;
		await this.#loop?.catch(() => undefined);
		this.#redis.disconnect();
	}

	async #read(live: boolean): Promise<number> {
		const entries = await this.#redis.xrange(STREAM, `(${this.#last}`, '+', 'COUNT', BATCH);
		if (entries.length === 0) return 0;
		const now = Date.now();
		for (const [id, fields] of entries) {
			const { sensorId, seq, value, observedAt } = JSON.parse(fields[1] ?? '') as {
				sensorId: string;
				seq?: number;
				value: number;
				observedAt: number;
			};
			this.readings.add(Number(sensorId.slice(2)), seqOf({ seq, value }));
			// An entry's id begins with the time at which Redis added it.
			if (observedAt >= this.#from && observedAt <= this.#to)
				this.arrival.record((live ? now : Number.parseInt(id, 10)) - observedAt);
		}
		this.#last = entries.at(-1)![0];
		await this.#redis.xgroup('SETID', STREAM, GROUP, this.#last);
		return entries.length;
	}
}
