import { type Bus, type Position, START } from '@crowdvision/bus';
import { type ReadingWithCursor, type ServerToDashboard, STREAMS } from '@crowdvision/contracts';
import { type Logger, pause, type Semaphore } from '@crowdvision/service-kit';
import type { Socket } from 'socket.io';
import type { Feed } from '../feed/feed.ts';
import { LatestReadings } from '../feed/latest.ts';
import { replay } from '../feed/replay.ts';
import type { Backlog } from './backlog.ts';

/** A dashboard that lets so much wait is slow. */
const SLOW = { packets: 16, bytes: 512 * 1024 };
/** Readings in one event while catching up; the next waits until this one is on its way. */
const CHUNK = 500;
/** More than so much of the stream is not read again for one dashboard: it had better take a new snapshot. */
const MOST_CAUGHT_UP = 200_000;
const DRAIN_TIMEOUT_MS = 30_000;
/** How long a cursor that is ahead of the feed may stay so. */
const AHEAD_TIMEOUT_MS = 5000;

export interface SubscriptionParts {
	buildingId: string;
	socket: Socket<object, ServerToDashboard>;
	backlog: Backlog;
	feed: Feed;
	bus: Bus;
	/** Bounds how many read the stream from the bus at once. */
	busReads: Semaphore;
	/** Told each time it is given latest values only. */
	onSuperseded: (reason: 'slow' | 'cursor_expired') => void;
	logger: Logger;
}

/** The Socket.IO room of those who get everything of a building as it comes. */
export const liveRoom = (buildingId: string) => `live:${buildingId}`;

/**
 * One building on one dashboard.
 *
 *   subscribe {cursor} ─▶ catching up ─▶ live ◀──▶ slow: only the latest of each room and metric is kept for it
 *                            │  from what is recent, or from the bus where that does not reach back far enough
 */
export class DashboardSubscription {
	readonly #parts: SubscriptionParts;
	readonly #closed = new AbortController();
	/** Everything up to it was sent, or is said to be superseded. */
	#cursor: Position;
	#state: 'catching up' | 'live' | 'slow' = 'catching up';
	readonly #latest = new LatestReadings();

	constructor(parts: SubscriptionParts, from: Position) {
		this.#parts = parts;
		this.#cursor = from;
	}

	get buildingId(): string {
		return this.#parts.buildingId;
	}

	get isSlow(): boolean {
		return this.#state === 'slow';
	}

	/**
	 * Catches up, then goes live; a dashboard that cannot be caught up with is disconnected, and comes back with its
	 * cursor. `foreign`: the cursor it came with, where that is none of this bus.
	 */
	async run(foreign?: string): Promise<void> {
		try {
			if (foreign !== undefined && !this.#closed.signal.aborted)
				this.#supersede('cursor_expired', this.#cursor, foreign);
			await this.#catchUp();
		} catch (error) {
			if (this.#closed.signal.aborted) return;
			this.#parts.logger.warn(
				{ err: error, buildingId: this.buildingId },
				'a dashboard could not catch up and is disconnected',
			);
			this.#parts.socket.conn.close(true);
		}
	}

	/** Nothing is sent for it any more once this returns. */
	close(): void {
		this.#closed.abort();
		this.#parts.socket.leave(liveRoom(this.buildingId));
		this.#latest.clear();
	}

	/**
	 * Told of readings before they are sent to the live room: notes them, and leaves the room where the dashboard has
	 * become slow.
	 */
	note(readings: readonly ReadingWithCursor[]): void {
		if (this.#state === 'catching up') return;
		const { backlog } = this.#parts;
		if (this.#state === 'live') {
			if (backlog.packets < SLOW.packets && backlog.bytes < SLOW.bytes) {
				this.#cursor = readings.at(-1)!.cursor;
				return;
			}
			this.#becomeSlow();
		}
		for (const reading of readings) this.#latest.keep(reading);
	}

	/**
	 * The stream lost what was after the feed's end: whoever was live missed it; whoever is slow is told once it takes
	 * something again.
	 */
	noteGap(to: Position): void {
		if (this.#state === 'live') this.#supersede('cursor_expired', to);
	}

	#becomeSlow(): void {
		this.#state = 'slow';
		this.#parts.socket.leave(liveRoom(this.buildingId));
		this.#parts.backlog.onDrain(() => {
			if (!this.#closed.signal.aborted) this.#recover();
		});
	}

	/** Its connection takes something again: what was kept for it, and from now on everything. */
	#recover(): void {
		this.#parts.feed.flush();
		this.#supersede('slow', this.#parts.feed.recent.head);
		this.#goLive();
	}

	#goLive(): void {
		this.#state = 'live';
		this.#parts.socket.join(liveRoom(this.buildingId));
	}

	/** Says that of what is up to `to` there are only the latest values, and sends those that are known. */
	#supersede(reason: 'slow' | 'cursor_expired', to: Position, from: string = this.#cursor): void {
		const { socket, feed, bus, buildingId, onSuperseded } = this.#parts;
		socket.emit('superseded', { buildingId, reason, from, cursor: to });
		const compare = (a: Position, b: Position) => bus.compare(a, b);
		// A cursor beyond the end is of another stream: of this one nothing was seen yet.
		const seen = from !== this.#cursor || compare(from, to) > 0 ? START : from;
		const latest = reason === 'slow' ? this.#latest.takeAll() : feed.latest.between(buildingId, seen, to, compare);
		for (let sent = 0; sent < latest.length; sent += CHUNK) socket.emit('telemetry', latest.slice(sent, sent + CHUNK));
		this.#cursor = to;
		onSuperseded(reason);
	}

	async #catchUp(): Promise<void> {
		const { feed, bus, socket, buildingId } = this.#parts;
		const { recent } = feed;
		const { signal } = this.#closed;
		for (;;) {
			signal.throwIfAborted();
			if (bus.compare(this.#cursor, recent.head) > 0) await this.#waitForFeed();
			if (!recent.holds(this.#cursor)) await this.#catchUpFromBus();
			// Closed meanwhile, perhaps because the building is no longer this account's to see.
			signal.throwIfAborted();
			const { readings, upTo } = recent.after(this.#cursor, buildingId, CHUNK);
			if (readings.length > 0) socket.emit('telemetry', readings);
			this.#cursor = upTo;
			if (bus.compare(upTo, recent.head) === 0) {
				// The others get what waits before this one joins them; it has it from `recent`.
				feed.flush();
				return this.#goLive();
			}
			await this.#drained();
		}
	}

	/**
	 * The snapshot was quicker than the feed; or the cursor is of another stream, and then nothing of this one was seen
	 * yet.
	 */
	async #waitForFeed(): Promise<void> {
		const { feed, bus } = this.#parts;
		const end = await bus.position(STREAMS.telemetry);
		this.#closed.signal.throwIfAborted();
		if (bus.compare(this.#cursor, end) > 0) return this.#supersede('cursor_expired', feed.recent.head);
		const late = AbortSignal.timeout(AHEAD_TIMEOUT_MS);
		while (bus.compare(this.#cursor, feed.recent.head) > 0) {
			if (late.aborted) return this.#supersede('cursor_expired', feed.recent.head);
			await Promise.race([feed.news(), pause(AHEAD_TIMEOUT_MS, AbortSignal.any([late, this.#closed.signal]))]);
			this.#closed.signal.throwIfAborted();
		}
	}

	/** Reads the stream itself until what is recent reaches back to the cursor. */
	async #catchUpFromBus(): Promise<void> {
		const { bus, busReads, feed, buildingId, socket } = this.#parts;
		const { recent } = feed;
		const { signal } = this.#closed;
		const release = await busReads.acquire(signal);
		try {
			await replay({
				bus,
				buildingId,
				signal,
				from: this.#cursor,
				take: async (readings, upTo) => {
					if (readings.length > 0) socket.emit('telemetry', readings);
					this.#cursor = upTo;
					await this.#drained();
				},
				enough: (read) => {
					if (recent.holds(this.#cursor)) return true;
					if (read > MOST_CAUGHT_UP) this.#supersede('cursor_expired', recent.head);
					return read > MOST_CAUGHT_UP;
				},
				onGap: (to) => this.#supersede('cursor_expired', to),
				onSilence: () => this.#supersede('cursor_expired', recent.head),
			});
		} finally {
			release();
		}
	}

	#drained(): Promise<void> {
		return this.#parts.backlog.drained(
			1,
			AbortSignal.any([this.#closed.signal, AbortSignal.timeout(DRAIN_TIMEOUT_MS)]),
		);
	}
}
