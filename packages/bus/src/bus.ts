import type { StreamName, TableName } from '@crowdvision/contracts';

/**
 * A place in a stream. Opaque to everybody but the adapter; entries appended later compare greater there.
 * `START` is before the first entry that is still held.
 */
export type Position = string;
export const START: Position = '0';

export interface BusEntry {
	position: Position;
	data: string;
	/** What is missing before it, of the stream `telemetry`: a JSON array of `ReadingGap`. */
	gap?: string;
}

/** A running consumer, tail, listener or watch. `close` resolves when its handler has returned for the last time. */
export interface Subscription {
	close(): Promise<void>;
}

export interface ConsumeOptions {
	/** Name of this member in its group; unique among live members. */
	member: string;
	/** Most entries a handler is given at once. Default 256. */
	batch?: number;
	/** Tries before an entry is set aside in `<stream>.dead` with the reason. Default 5. */
	maxAttempts?: number;
	/** Another member's unacknowledged entries are taken over when it was silent for so long. Default 30 s. */
	claimAfterMs?: number;
	/**
	 * How far whoever consumes has come by its own account, which may have been put back to an earlier state. Where the
	 * group has acknowledged anything after this place it goes back to it, once, when it begins; never forward. From
	 * there on everything that is still held is given again, in order, what failed before as if it was never tried. What
	 * is no longer held is told to the logger. For a group of one member at a time.
	 */
	from?: Position;
}

/** What a tail, whose position is no longer held, has missed: everything after `from`, up to `to`. */
export interface TailGap {
	from: Position;
	to: Position;
}

export interface DeadLetter {
	position: Position;
	data: string;
	group: string;
	reason: string;
	attempts: number;
	at: number;
}

/**
 * How the parts of the system talk. Durable: `append` to a stream, `consume` in a group, `tail` from a position.
 * Live: `announce` to whoever `listen`s now. Retained: the last value per key, for everybody who `watch`es.
 *
 * Every method rejects with CrowdVisionError `unavailable` when the transport stays away longer than its timeout;
 * consumers, tails, listeners and watches never reject for that, they reconnect with back-off.
 */
export interface Bus {
	/**
	 * Resolves with the entries' positions when all are durable; rejects when none is. Where the connection breaks in
	 * between it rejects too, and then all of them may have been stored, or none: appending again may store them twice.
	 */
	append(stream: StreamName, entries: readonly string[]): Promise<Position[]>;

	/**
	 * Appends an entry unless one was appended under this key (at most 200 bytes) before, by whomever: resolves with true
	 * when it was this one, else with false. So it may be tried again after a rejection, and by several at once. A key is
	 * remembered for a week in Redis; embedded, for the dedup window of the stream's log.
	 */
	appendOnce(stream: StreamName, key: string, entry: string): Promise<boolean>;

	/**
	 * At least once per group: the entries are acknowledged when `handle` resolves. When it rejects, they are given again
	 * with back-off, then one by one, and one that fails `maxAttempts` times is set aside in the dead letters. What a
	 * member that died held is given to another. In order, unless something had to be redelivered. A new group begins at
	 * the oldest entry held.
	 *
	 * A handler that rejects with CrowdVisionError `unavailable` says that something it needs is away: that is no fault
	 * of the entries, so they are given again without limit, and none is set aside.
	 *
	 * Rejects with `bad_request` when `options.from` is not a position of this bus.
	 */
	consume(
		stream: StreamName,
		group: string,
		options: ConsumeOptions,
		handle: (entries: BusEntry[]) => Promise<void>,
	): Promise<Subscription>;

	/**
	 * Everything after `from`, in order, without a group; `onGap` first where some of it is no longer held. A handler
	 * that fails is logged, and the tail goes on. Rejects with `bad_request` when `from` is not a position of this bus.
	 */
	tail(
		stream: StreamName,
		from: Position | 'end',
		handle: (entries: BusEntry[]) => void | Promise<void>,
		onGap?: (gap: TailGap) => void,
	): Promise<Subscription>;

	/** Position of the newest entry, or START: a tail from here sees exactly what is appended after this call. */
	position(stream: StreamName): Promise<Position>;

	/** Negative when `a` is before `b`, 0 when they are the same place. */
	compare(a: Position, b: Position): number;

	/** Entries set aside, newest first, at most `limit`. */
	deadLetters(stream: StreamName, limit?: number): Promise<DeadLetter[]>;

	/** Best effort: a listener that is away misses it. */
	announce(channel: string, message: string): Promise<void>;
	listen(channel: string, handle: (message: string) => void): Promise<Subscription>;

	/** Sets the retained value of a key, or removes it with null. */
	retain(table: TableName, key: string, value: string | null): Promise<void>;
	/**
	 * `handle` gets every key's present value, then each change (null: removed). Repeats are possible after a reconnect.
	 */
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<Subscription>;

	/** Undefined when usable, else the reason for a person. Resolves within a second. */
	trouble(): Promise<string | undefined>;

	/** Ends all subscriptions, lets handlers return, then disconnects. */
	close(): Promise<void>;
}
