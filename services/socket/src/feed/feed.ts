import type { Bus, BusEntry, Subscription, TailGap } from '@crowdvision/bus';
import { type Reading, type ReadingWithCursor, reading, STREAMS } from '@crowdvision/contracts';
import type { Counter, Histogram } from '@crowdvision/service-kit';
import { LatestReadings } from './latest.ts';
import { type RecentBounds, type RecentEntry, RecentReadings } from './recent.ts';
import { Redeliveries } from './redeliveries.ts';

const STREAM = STREAMS.telemetry;

export interface FeedListener {
	/** Gets readings of one building in order, each exactly once from the start of the feed on. */
	onReadings(buildingId: string, readings: ReadingWithCursor[]): void;
	/** Called when entries of the stream were lost. */
	onGap(gap: TailGap): void;
}

export interface FeedParts {
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	bus: Bus;
	recent: RecentBounds;
	/** The shortest time between two calls of the listener, in ms; readings in between are collected. */
	everyMs: number;
	/** Counts entries that are no valid reading. */
	rejected: Counter;
	/** Counts redelivered readings, as after Redis lost the end of its stream. */
	repeated: Counter;
	/** Seconds from the receipt of a reading at its gateway to its emission to browsers. */
	delay: Histogram;
}

/** When so many readings are collected, they are passed on without waiting. */
const MAX_COLLECTED = 2000;

/** The one live tail of the telemetry stream that all dashboards share. */
export class Feed {
	readonly recent: RecentReadings;
	/** The latest readings since this process started, for dashboards that missed more than is held. */
	readonly latest = new LatestReadings();
	readonly #redeliveries = new Redeliveries();
	readonly #parts: FeedParts;
	#listener: FeedListener | undefined;
	readonly #collected = new Map<string, ReadingWithCursor[]>();
	#collectedCount = 0;
	#timer: NodeJS.Timeout | undefined;
	#flushedAt = 0;
	#next = Promise.withResolvers<void>();

	constructor(parts: FeedParts) {
		this.#parts = parts;
		this.recent = new RecentReadings((a, b) => parts.bus.compare(a, b), parts.recent);
	}

	/** Follows the stream from its end on, until the subscription is closed. */
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

	/** Passes on what is collected now. Afterwards the listener knows everything up to `recent.head`. */
	flush(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#flushedAt = performance.now();
		this.#collectedCount = 0;
		const collected = [...this.#collected];
		this.#collected.clear();
		const now = this.#parts.now();
		for (const [buildingId, readings] of collected) {
			// The first one is the oldest. The result could be negative, as the clocks of two machines differ.
			this.#parts.delay.observe(Math.max(0, now - readings[0]!.receivedAt) / 1000);
			this.#listener?.onReadings(buildingId, readings);
		}
	}

	/** Resolves with the next entries of the stream, or a gap in it. */
	next(): Promise<void> {
		return this.#next.promise;
	}

	#take(entries: readonly BusEntry[]): void {
		const known: RecentEntry[] = [];
		for (const { position, data } of entries) {
			const value = parseReading(data);
			if (!value) {
				this.#parts.rejected.inc();
				continue;
			}
			if (this.#redeliveries.has(value.id)) {
				this.#parts.repeated.inc();
				continue;
			}
			known.push({ position, buildingId: value.buildingId, data });
			const reading: ReadingWithCursor = { ...value, cursor: position };
			this.latest.add(reading);
			const collected = this.#collected.get(value.buildingId);
			if (collected) collected.push(reading);
			else this.#collected.set(value.buildingId, [reading]);
		}
		this.recent.push(known, entries.at(-1)!.position);
		this.#collectedCount += known.length;
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
		if (this.#collectedCount >= MAX_COLLECTED) this.flush();
		else if (this.#collectedCount > 0)
			this.#timer ??= setTimeout(
				() => this.flush(),
				Math.max(0, this.#flushedAt + this.#parts.everyMs - performance.now()),
			);
	}

	#wake(): void {
		this.#next.resolve();
		this.#next = Promise.withResolvers<void>();
	}
}

/** Undefined for an entry that is no valid reading. */
export function parseReading(data: string): Reading | undefined {
	try {
		const value: unknown = JSON.parse(data);
		return reading.check(value) ? value : undefined;
	} catch {
		return undefined;
	}
}
