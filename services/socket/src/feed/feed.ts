import type { Bus, BusEntry, Subscription, TailGap } from '@crowdvision/bus';
import { type Reading, type ReadingWithCursor, reading, STREAMS } from '@crowdvision/contracts';
import type { Counter, Histogram } from '@crowdvision/service-kit';
import { AppendedAgain } from './appended-again.ts';
import { LatestReadings } from './latest.ts';
import { type RecentBounds, type RecentEntry, RecentReadings } from './recent.ts';

const STREAM = STREAMS.telemetry;

export interface FeedListener {
	/** Readings of one building, in order, each exactly once from the start of the feed on. */
	onReadings(buildingId: string, readings: ReadingWithCursor[]): void;
	/** Something of the stream is lost to everybody. */
	onGap(gap: TailGap): void;
}

export interface FeedParts {
	bus: Bus;
	recent: RecentBounds;
	/** Readings are handed on at most once in so many milliseconds, together. */
	everyMs: number;
	rejected: Counter;
	/** Counts readings that were there before, as after a Redis that lost the end of its stream. */
	repeated: Counter;
	/** Seconds from a reading's receipt at the gateway to its way to the browsers. */
	delay: Histogram;
}

/** More than so many waiting readings are handed on at once. */
const MOST_WAITING = 2000;

/** The one live tail of the telemetry stream that all dashboards share. */
export class Feed {
	readonly recent: RecentReadings;
	/** For those who missed what is no longer held. Known since this process began. */
	readonly latest = new LatestReadings();
	readonly #before = new AppendedAgain();
	readonly #parts: FeedParts;
	#listener: FeedListener | undefined;
	readonly #waiting = new Map<string, ReadingWithCursor[]>();
	#waitingCount = 0;
	#timer: NodeJS.Timeout | undefined;
	#flushedAt = 0;
	#news = Promise.withResolvers<void>();

	constructor(parts: FeedParts) {
		this.#parts = parts;
		this.recent = new RecentReadings((a, b) => parts.bus.compare(a, b), parts.recent);
	}

	/** Begins at the stream's end. */
	async follow(listener: FeedListener): Promise<Subscription> {
		this.#listener = listener;
		const { bus } = this.#parts;
		this.recent.reset(await bus.position(STREAM));
		const tail = await bus.tail(
			STREAM,
			this.recent.base,
			(entries) => this.#take(entries),
			(gap) => this.#lose(gap),
		);
		return {
			close: async () => {
				clearTimeout(this.#timer);
				await tail.close();
			},
		};
	}

	/** Hands on what waits now. Afterwards the listener knows everything up to `recent.head`. */
	flush(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#flushedAt = performance.now();
		this.#waitingCount = 0;
		const waiting = [...this.#waiting];
		this.#waiting.clear();
		const now = Date.now();
		for (const [buildingId, readings] of waiting) {
			// The oldest waited longest. Clocks of two machines may differ by a little.
			this.#parts.delay.observe(Math.max(0, now - readings[0]!.receivedAt) / 1000);
			this.#listener?.onReadings(buildingId, readings);
		}
	}

	/** Resolves when the stream goes on. */
	news(): Promise<void> {
		return this.#news.promise;
	}

	#take(entries: readonly BusEntry[]): void {
		const known: RecentEntry[] = [];
		for (const { position, data } of entries) {
			const value = parseReading(data);
			if (!value) {
				this.#parts.rejected.inc();
				continue;
			}
			if (this.#before.has(value.id)) {
				this.#parts.repeated.inc();
				continue;
			}
			known.push({ position, buildingId: value.buildingId, data });
			const reading: ReadingWithCursor = { ...value, cursor: position };
			this.latest.keep(reading);
			const waiting = this.#waiting.get(value.buildingId);
			if (waiting) waiting.push(reading);
			else this.#waiting.set(value.buildingId, [reading]);
		}
		this.recent.push(known, entries.at(-1)!.position);
		this.#waitingCount += known.length;
		this.#schedule();
		this.#wake();
	}

	#lose(gap: TailGap): void {
		this.flush();
		this.recent.reset(gap.to);
		this.#listener?.onGap(gap);
		this.#wake();
	}

	#schedule(): void {
		if (this.#waitingCount >= MOST_WAITING) this.flush();
		else if (this.#waitingCount > 0)
			this.#timer ??= setTimeout(
				() => this.flush(),
				Math.max(0, this.#flushedAt + this.#parts.everyMs - performance.now()),
			);
	}

	#wake(): void {
		this.#news.resolve();
		this.#news = Promise.withResolvers<void>();
	}
}

/** Undefined for what is no reading. */
export function parseReading(data: string): Reading | undefined {
	try {
		const value: unknown = JSON.parse(data);
		return reading.check(value) ? value : undefined;
	} catch {
		return undefined;
	}
}
