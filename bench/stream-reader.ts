import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Histogram } from './load/histogram.ts';
import { SeenReadings } from './load/seen.ts';

const STREAM = 'telemetry';
const GROUP = 'bench';
const BATCH = 2000;

/**
 * Reads every entry of the stream, counts which readings are there, and how long after their sending they came.
 * Its group keeps the stream from being trimmed before it has read.
 */
export class StreamReader {
	readonly seen = new SeenReadings();
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

	/** To be opened before anything is appended. */
	static async open(url: string): Promise<StreamReader> {
		const redis = new Redis(url, { lazyConnect: true });
		await redis.connect();
		await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
		return new StreamReader(redis);
	}

	/** Only readings sent in this time (epoch ms) count for `arrival`. */
	measure(from: number, to = Number.POSITIVE_INFINITY): void {
		this.#from = from;
		this.#to = to;
	}

	/** Reads along from now on, so that `arrival` is when a reader has the reading, not when Redis has it. */
	follow(): void {
		this.#following = true;
		this.#loop = (async () => {
			while (this.#following) {
				const began = performance.now();
				if ((await this.#read(true)) === 0) await sleep(Math.max(0, 1 - (performance.now() - began)));
			}
		})();
	}

	/** Reads until `expected` readings were seen, or none has come for `patienceMs`. */
	async drain(expected: number, patienceMs: number): Promise<void> {
		const live = this.#following;
		this.#following = false;
		await this.#loop;
		for (let last = Date.now(); ; ) {
			if ((await this.#read(live)) > 0) last = Date.now();
			else if (this.seen.received >= expected || Date.now() - last > patienceMs) return;
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
			const { sensorId, seq, observedAt } = JSON.parse(fields[1] ?? '') as {
				sensorId: string;
				seq: number;
				observedAt: number;
			};
			this.seen.add(Number(sensorId.slice(2)), seq);
			// An id begins with the time at which Redis took it.
			if (observedAt >= this.#from && observedAt <= this.#to)
				this.arrival.record((live ? now : Number.parseInt(id, 10)) - observedAt);
		}
		this.#last = entries.at(-1)![0];
		await this.#redis.xgroup('SETID', STREAM, GROUP, this.#last);
		return entries.length;
	}
}
