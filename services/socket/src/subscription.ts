import type { Bus, BusEntry, Position } from '@crowdvision/bus';
import { type ReadingWithCursor, type ServerToDashboard, STREAMS } from '@crowdvision/contracts';
import { type Logger, pause } from '@crowdvision/service-kit';
import type { Socket } from 'socket.io';
import type { Backlog } from './backlog.ts';
import { type Feed, parseReading } from './feed.ts';
import type { Slots } from './slots.ts';

const STREAM = STREAMS.telemetry;

/** A dashboard that lets so much wait is slow. */
export const SLOW = { packets: 16, bytes: 512 * 1024 };
/** Readings in one event while catching up; the next waits until this one is on its way. */
const CHUNK = 500;
/** More than so much of the stream is not read again for one dashboard: it had better take a new snapshot. */
const MOST_CAUGHT_UP = 200_000;
const DRAIN_TIMEOUT_MS = 30_000;
/** How long a cursor that is ahead of the feed may stay so. */
const AHEAD_TIMEOUT_MS = 5000;
const BUS_TIMEOUT_MS = 10_000;

export interface SubscriptionParts {
	buildingId: string;
	socket: Socket<object, ServerToDashboard>;
	backlog: Backlog;
	feed: Feed;
	bus: Bus;
	/** Bounds how many read the stream from the bus at once. */
	slots: Slots;
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
	readonly #latest = new Map<string, ReadingWithCursor>();

	constructor(parts: SubscriptionParts, from: Position) {
		this.#parts = parts;
		this.#cursor = from;
	}

	get buildingId(): string {
		return this.#parts.buildingId;
	}

	/** Catches up, then goes live; a dashboard that cannot be caught up with is disconnected, and comes back with its cursor. */
	async run(): Promise<void> {
		try {
			await this.#catchUp();
		} catch (error) {
			if (this.#closed.signal.aborted) return;
			this.#parts.logger.warn({ err: error, buildingId: this.buildingId }, 'a dashboard could not catch up and is disconnected');
			this.#parts.socket.conn.close(true);
		}
	}

	close(): void {
		this.#closed.abort();
		this.#parts.socket.leave(liveRoom(this.buildingId));
		this.#latest.clear();
	}

	/** Told of readings before they are sent to the live room: notes them, and leaves the room where the dashboard has become slow. */
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
		for (const reading of readings) this.#keepLatest(reading);
	}

	/** The stream lost what was after `from`: whoever was live missed it. */
	noteGap(to: Position): void {
		if (this.#state === 'catching up') return;
		this.#supersede('cursor_expired', to);
	}

	#becomeSlow(): void {
		this.#state = 'slow';
		this.#parts.socket.leave(liveRoom(this.buildingId));
		this.#parts.backlog.onDrain(() => {
			if (!this.#closed.signal.aborted) this.#recover();
		});
	}

	#keepLatest(reading: ReadingWithCursor): void {
		const key = `${reading.roomId}\n${reading.metric}`;
		const known = this.#latest.get(key);
		if (known && known.observedAt > reading.observedAt) return;
		// Last in, last out: what is sent stays in the order of the stream.
		this.#latest.delete(key);
		this.#latest.set(key, reading);
	}

	/** Its connection takes something again: what was kept for it, and from now on everything. */
	#recover(): void {
		this.#parts.feed.flush();
		const latest = [...this.#latest.values()];
		this.#latest.clear();
		this.#supersede('slow', this.#parts.feed.recent.head);
		if (latest.length > 0) this.#parts.socket.emit('telemetry', latest);
		this.#goLive();
	}

	#goLive(): void {
		this.#state = 'live';
		this.#parts.socket.join(liveRoom(this.buildingId));
	}

	#supersede(reason: 'slow' | 'cursor_expired', to: Position): void {
		this.#parts.socket.emit('superseded', { buildingId: this.buildingId, reason, from: this.#cursor, cursor: to });
		this.#cursor = to;
	}

	async #catchUp(): Promise<void> {
		const { feed, bus, socket, buildingId } = this.#parts;
		const { recent } = feed;
		for (;;) {
			this.#closed.signal.throwIfAborted();
			if (bus.compare(this.#cursor, recent.head) > 0) await this.#waitForFeed();
			if (!recent.holds(this.#cursor)) await this.#catchUpFromBus();
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

	/** The snapshot was quicker than the feed; or the cursor is of another stream, and then nothing of this one was seen yet. */
	async #waitForFeed(): Promise<void> {
		const { feed, bus } = this.#parts;
		if (bus.compare(this.#cursor, await bus.position(STREAM)) > 0) return this.#supersede('cursor_expired', feed.recent.head);
		const late = AbortSignal.timeout(AHEAD_TIMEOUT_MS);
		while (bus.compare(this.#cursor, feed.recent.head) > 0) {
			if (late.aborted) return this.#supersede('cursor_expired', feed.recent.head);
			await Promise.race([feed.news(), pause(AHEAD_TIMEOUT_MS, AbortSignal.any([late, this.#closed.signal]))]);
			this.#closed.signal.throwIfAborted();
		}
	}

	/** Reads the stream itself until what is recent reaches back to the cursor. */
	async #catchUpFromBus(): Promise<void> {
		const { bus, slots, feed, buildingId, socket } = this.#parts;
		const { recent } = feed;
		const release = await slots.take(this.#closed.signal);
		const reached = Promise.withResolvers<void>();
		let done = false;
		let read = 0;
		let active = true;
		const finish = () => {
			done = true;
			reached.resolve();
		};
		const settle = () => {
			if (recent.holds(this.#cursor) || this.#closed.signal.aborted) finish();
			else if (read > MOST_CAUGHT_UP) {
				this.#supersede('cursor_expired', recent.head);
				finish();
			}
		};
		// A stream that is another one now says nothing at all about a cursor of the one before.
		const giveUpOnSilence = async () => {
			const silent = !active;
			active = false;
			if (!silent || (await bus.trouble()) !== undefined || done) return;
			this.#supersede('cursor_expired', recent.head);
			finish();
		};
		const watchdog = setInterval(() => void giveUpOnSilence(), BUS_TIMEOUT_MS);
		this.#closed.signal.addEventListener('abort', finish, { once: true });
		try {
			const tail = await bus.tail(
				STREAM,
				this.#cursor,
				async (entries) => {
					if (done) return;
					active = true;
					read += entries.length;
					const readings = readingsOf(entries, buildingId);
					if (readings.length > 0) socket.emit('telemetry', readings);
					this.#cursor = entries.at(-1)!.position;
					await this.#drained().catch(reached.reject);
					active = true;
					settle();
				},
				(gap) => {
					if (done) return;
					active = true;
					this.#supersede('cursor_expired', gap.to);
					settle();
				},
			);
			try {
				await reached.promise;
			} finally {
				done = true;
				await tail.close();
			}
		} finally {
			clearInterval(watchdog);
			this.#closed.signal.removeEventListener('abort', finish);
			release();
		}
	}

	#drained(): Promise<void> {
		return this.#parts.backlog.drained(1, AbortSignal.any([this.#closed.signal, AbortSignal.timeout(DRAIN_TIMEOUT_MS)]));
	}
}

/** The readings of one building among entries of the stream; what is no reading is left out, as the feed does. */
function readingsOf(entries: readonly BusEntry[], buildingId: string): ReadingWithCursor[] {
	const mention = JSON.stringify(buildingId);
	const readings: ReadingWithCursor[] = [];
	for (const { position, data } of entries) {
		// Most entries are of other buildings: this spares parsing them.
		if (!data.includes(mention)) continue;
		const value = parseReading(data);
		if (value?.buildingId === buildingId) readings.push({ ...value, cursor: position });
	}
	return readings;
}
