import type { Reading, Transport } from '@crowdvision/contracts';
import { STREAM_FIELDS, STREAMS } from '@crowdvision/contracts';
import { Redis } from 'ioredis';
import type { Acknowledged } from './load.ts';

const PAGE = 5000;
const MOST_EXAMPLES = 5;
/**
 * One connection that keeps its order; the other two may overtake themselves: several requests at once, bytes lost in a
 * cut line.
 */
const ORDERED: readonly Transport[] = ['mqtt', 'socket.io'];

/** What a run came to. */
export interface Findings {
	acknowledged: number;
	stored: number;
	/** Acknowledged minus stored. */
	lost: number;
	/** Entries beyond the first of the same reading. */
	duplicates: number;
	/** Stored, but never acknowledged although everything was in the end; or with another value than the device sent. */
	foreign: number;
	/** What else is wrong, by kind, with the first few examples. */
	problems: Record<string, string[]>;
}

/** What must be found where so many readings were acknowledged. */
export const flawless = (acknowledged: number): Findings => ({
	acknowledged,
	stored: acknowledged,
	lost: 0,
	duplicates: 0,
	foreign: 0,
	problems: {},
});

interface Stored {
	id: string;
	times: number;
	metric: string;
	value: number;
}

/** Reads the stream `telemetry` as a consumer does, in order, and judges it against what the devices were told. */
export class StreamAudit {
	readonly #url: string;
	readonly #stored = new Map<string, Stored>();
	readonly #ids = new Set<string>();
	readonly #lastSeq = new Map<string, number>();
	readonly #counts = new Map<string, number>();
	readonly #problems: Record<string, string[]> = {};
	#position = '-';
	#offset = -1;
	#entries = 0;

	constructor(url: string) {
		this.#url = url;
	}

	/** Entries read so far. */
	get entries(): number {
		return this.#entries;
	}

	/** The id under which a reading was stored. */
	idOf(key: string): string | undefined {
		return this.#stored.get(key)?.id;
	}

	/** Reads on to the end of the stream. */
	async catchUp(): Promise<void> {
		const redis = new Redis(this.#url, { retryStrategy: () => null, maxRetriesPerRequest: 0, lazyConnect: true });
		redis.on('error', () => {});
		try {
			await redis.connect();
			for (let page = PAGE; page === PAGE; ) {
				const entries = await redis.xrange(STREAMS.telemetry, this.#position, '+', 'COUNT', PAGE);
				page = entries.length;
				for (const [position, [field, json]] of entries) {
					this.#position = `(${position}`;
					if (field !== STREAM_FIELDS.telemetry || json === undefined) this.#wrong('not a reading', position);
					else this.#take(JSON.parse(json) as Reading);
				}
			}
		} finally {
			redis.disconnect();
		}
	}

	/** Compares with all that was acknowledged. Call it when nothing is under way any more. */
	findings(acknowledged: ReadonlyMap<string, Acknowledged>): Findings {
		let lost = 0;
		let duplicates = 0;
		let foreign = 0;
		for (const [key, told] of acknowledged) {
			const stored = this.#stored.get(key);
			if (!stored) {
				lost++;
				this.#wrong('acknowledged but not stored', `${key} over ${told.transport}`);
			} else if (stored.metric !== told.metric || stored.value !== told.value) {
				foreign++;
				this.#wrong(
					'not what was sent',
					`${key}: ${stored.metric} ${stored.value} instead of ${told.metric} ${told.value}`,
				);
			}
		}
		for (const [key, { times }] of this.#stored) {
			duplicates += times - 1;
			if (times > 1) this.#wrong('stored more than once', `${key}, ${times} times`);
			if (!acknowledged.has(key)) {
				foreign++;
				this.#wrong('never sent', key);
			}
		}
		return {
			acknowledged: acknowledged.size,
			stored: this.#stored.size,
			lost,
			duplicates,
			foreign,
			problems: this.#problems,
		};
	}

	#take(reading: Reading): void {
		this.#entries++;
		const { id, sensorId, boot, seq, transport } = reading;
		const key = `${sensorId} ${boot} ${seq}`;
		const known = this.#stored.get(key);
		if (known) known.times++;
		else this.#stored.set(key, { id, times: 1, ...sent(reading) });
		if (this.#ids.has(id)) this.#wrong('id used twice', id);
		this.#ids.add(id);

		const offset = Number(id.slice(id.lastIndexOf('-') + 1));
		if (!(offset > this.#offset)) this.#wrong('not in the order of the log', `${id} after ${this.#offset}`);
		this.#offset = offset;
		const series = `${sensorId} ${boot}`;
		if (ORDERED.includes(transport) && !((seq ?? -1) > (this.#lastSeq.get(series) ?? -1)))
			this.#wrong('out of order', `${key} over ${transport}`);
		this.#lastSeq.set(series, seq ?? -1);
		this.#count(reading);
	}

	/** A room's count is what it was and who crossed its doors since, also across kills. */
	#count({ id, buildingId, roomId, crossings, value }: Reading): void {
		if (!crossings) return;
		const room = `${buildingId}/${roomId}`;
		const expected = Math.max(0, (this.#counts.get(room) ?? 0) + crossings.in - crossings.out);
		if (value !== expected) this.#wrong('people miscounted', `${id}: ${value} in ${room} instead of ${expected}`);
		this.#counts.set(room, value);
	}

	#wrong(kind: string, example: string): void {
		this.#problems[kind] ??= [];
		if (this.#problems[kind].length < MOST_EXAMPLES) this.#problems[kind].push(example);
	}
}

/** What the device must have sent for this to be stored: a door counter tells crossings, not people. */
function sent({ metric, value, crossings }: Reading): { metric: string; value: number } {
	if (!crossings) return { metric, value };
	return crossings.out > 0
		? { metric: 'peopleOut', value: crossings.out }
		: { metric: 'peopleIn', value: crossings.in };
}
