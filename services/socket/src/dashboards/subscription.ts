import { type Bus, type Position, START } from '@crowdvision/bus';
import { type ReadingWithCursor, type ServerToDashboard, STREAMS } from '@crowdvision/contracts';
import { type BuildingDirectory, type Logger, pause, type Semaphore } from '@crowdvision/service-kit';
import type { Socket } from 'socket.io';
import type { Feed } from '../feed/feed.ts';
import { LatestReadings } from '../feed/latest.ts';
import { replay } from '../feed/replay.ts';
import type { Backlog } from './backlog.ts';

/** A dashboard with more than this waiting is slow. */
const SLOW = { packets: 16, bytes: 512 * 1024 };
/** Readings in one event while catching up; the next event waits until this one is sent. */
const CHUNK = 500;
/** Entries that are read from the bus for one dashboard; beyond that it gets the latest values instead. */
const MAX_CAUGHT_UP = 200_000;
/** How long a dashboard that catches up may take to accept an event. */
const DRAIN_TIMEOUT_MS = 30_000;
/** How long a cursor may be ahead of the feed. */
const AHEAD_TIMEOUT_MS = 5000;

export interface SubscriptionParts {
	buildingId: string;
	/** Of the building: the subscription is to this one, not to others that get its id. */
	generation: string | undefined;
	socket: Socket<object, ServerToDashboard>;
	backlog: Backlog;
	feed: Feed;
	bus: Bus;
	/** Tells readings of the building from those of an earlier one of its id. */
	directory: Pick<BuildingDirectory, 'owns'>;
	/** Bounds how many read the stream from the bus at once. */
	busReads: Semaphore;
	/** Called each time the dashboard gets the latest values only. */
	onSuperseded: (reason: 'slow' | 'cursor_expired') => void;
	logger: Logger;
}

/** The Socket.IO room of the dashboards that get all readings of a building as they come. */
export const liveRoom = (buildingId: string) => `live:${buildingId}`;

/**
 * The subscription of one dashboard to one building.
 *
 *   subscribe {cursor} ─▶ catching up ─▶ live ◀──▶ slow: only the latest of each room and metric waits for it
 *                            │  from recent readings, or from the bus if the cursor is older
 */
export class DashboardSubscription {
	readonly #parts: SubscriptionParts;
	readonly #closed = new AbortController();
	/** Every reading up to this position was sent or superseded. */
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

	get generation(): string | undefined {
		return this.#parts.generation;
	}

	get isSlow(): boolean {
		return this.#state === 'slow';
	}

	/**
	 * Catches up, then goes live. If catching up fails, disconnects the dashboard, which comes back with its cursor.
	 * @param foreignCursor the cursor that the dashboard sent, if it is no position of this bus
	 */
	async run(foreignCursor?: string): Promise<void> {
		try {
			if (foreignCursor !== undefined && !this.#closed.signal.aborted)
				this.#supersede('cursor_expired', this.#cursor, foreignCursor);
			await this.#catchUp();
		} catch (error) {
			if (this.#closed.signal.aborted) return;
			this.#parts.logger.warn(
				{ err: error, buildingId: this.buildingId },
				'a dashboard could not catch up and is disconnected; it comes back with its cursor',
			);
			this.#parts.socket.conn.close(true);
		}
	}

	/** Nothing more is sent for this subscription once this returns. */
	close(): void {
		this.#closed.abort();
		this.#parts.socket.leave(liveRoom(this.buildingId));
		this.#latest.clear();
	}

	/**
	 * Called with readings before they are sent to the live room: moves the cursor, or leaves the room if the dashboard
	 * has become slow.
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
		for (const reading of readings) this.#latest.add(reading);
	}

	/**
	 * Called when the stream lost entries after the end of the feed. A live dashboard has missed them; a slow one is
	 * informed once it accepts data again.
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

	/** The connection accepts data again: sends the latest values that wait, then everything. */
	#recover(): void {
		this.#parts.feed.flush();
		this.#supersede('slow', this.#parts.feed.recent.head);
		this.#goLive();
	}

	#goLive(): void {
		this.#state = 'live';
		this.#parts.socket.join(liveRoom(this.buildingId));
	}

	/** Informs the dashboard that it gets only the latest values up to `to`, and sends those that are known. */
	#supersede(reason: 'slow' | 'cursor_expired', to: Position, from: string = this.#cursor): void {
		const { socket, feed, bus, buildingId, onSuperseded } = this.#parts;
		socket.emit('superseded', { buildingId, reason, from, cursor: to });
		const compare = (a: Position, b: Position) => bus.compare(a, b);
		// A cursor beyond the end belongs to another stream: the dashboard has seen nothing of this one.
		const seen = from !== this.#cursor || compare(from, to) > 0 ? START : from;
		const latest = reason === 'slow' ? this.#latest.takeAll() : feed.latest.between(buildingId, seen, to, compare);
		for (let sent = 0; sent < latest.length; sent += CHUNK) this.#send(latest.slice(sent, sent + CHUNK));
		this.#cursor = to;
		onSuperseded(reason);
	}

	/** Sends those of the readings that are the building's own. */
	#send(readings: readonly ReadingWithCursor[]): void {
		const own = readings.filter((reading) => this.#parts.directory.owns(reading));
		if (own.length > 0) this.#parts.socket.emit('telemetry', own);
	}

	async #catchUp(): Promise<void> {
		const { feed, bus, buildingId } = this.#parts;
		const { recent } = feed;
		const { signal } = this.#closed;
		for (;;) {
			signal.throwIfAborted();
			if (bus.compare(this.#cursor, recent.head) > 0) await this.#waitForFeed();
			if (!recent.holds(this.#cursor)) await this.#catchUpFromBus();
			// It may have been closed in the meantime because the account may no longer see the building.
			signal.throwIfAborted();
			const { readings, upTo } = recent.after(this.#cursor, buildingId, CHUNK);
			this.#send(readings);
			this.#cursor = upTo;
			if (bus.compare(upTo, recent.head) === 0) {
				// Sends what is collected to the live room before joining it: this dashboard has it from `recent`.
				feed.flush();
				return this.#goLive();
			}
			await this.#drained();
		}
	}

	/**
	 * Waits until the feed reaches a cursor that is ahead of it, as a snapshot can be. A cursor beyond the end of the
	 * stream belongs to another stream and is superseded.
	 */
	async #waitForFeed(): Promise<void> {
		const { feed, bus } = this.#parts;
		const end = await bus.position(STREAMS.telemetry);
		this.#closed.signal.throwIfAborted();
		if (bus.compare(this.#cursor, end) > 0) return this.#supersede('cursor_expired', feed.recent.head);
		const timeout = AbortSignal.timeout(AHEAD_TIMEOUT_MS);
		while (bus.compare(this.#cursor, feed.recent.head) > 0) {
			if (timeout.aborted) return this.#supersede('cursor_expired', feed.recent.head);
			await Promise.race([feed.next(), pause(AHEAD_TIMEOUT_MS, AbortSignal.any([timeout, this.#closed.signal]))]);
			this.#closed.signal.throwIfAborted();
		}
	}

	/** Reads from the bus until the recent readings reach back to the cursor. */
	async #catchUpFromBus(): Promise<void> {
		const { bus, busReads, feed, buildingId } = this.#parts;
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
					this.#send(readings);
					this.#cursor = upTo;
					await this.#drained();
				},
				enough: (read) => {
					if (recent.holds(this.#cursor)) return true;
					if (read > MAX_CAUGHT_UP) this.#supersede('cursor_expired', recent.head);
					return read > MAX_CAUGHT_UP;
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
