import type { StreamName, TableName } from '@crowdvision/contracts';

/**
 * A place in a stream. Opaque to everybody but the adapter, whose `compare` orders positions: a later entry compares
 * greater. `START` is before the first entry that is still held.
 */
export type Position = string;
export const START: Position = '0';

export interface BusEntry {
	position: Position;
	data: string;
	/** What is missing before it, in the stream `telemetry` only: a JSON array of `ReadingGap`. */
	gap?: string;
}

/** A running consumer, tail, listener or watch. `close` resolves when its handler has returned for the last time. */
export interface Subscription {
	close(): Promise<void>;
}

export interface ConsumeOptions {
	/** Name of this member in its group; unique among live members. */
	member: string;
	/** Maximum number of entries per call of the handler. Default 256. */
	batch?: number;
	/** Tries before an entry is set aside in `<stream>.dead` with the reason. Default 5. */
	maxAttempts?: number;
	/** Silence after which a member's unacknowledged entries are taken over by another, in ms. Default 30 s. */
	claimAfterMs?: number;
	/**
	 * The consumer's own record of its progress, which may have been restored from an older backup. A group that has
	 * acknowledged anything after this position goes back to it, once, when the consumer begins; it never goes forward.
	 * From there everything that is still held is delivered again, in order, as if it had never been tried. A gap is
	 * logged. Only for groups with one member at a time.
	 */
	from?: Position;
}

/** What a tail has missed because its position is no longer held: everything after `from`, up to and including `to`. */
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
 * Live: `announce` to the present listeners. Retained: the last value per key, for every watcher.
 *
 * Every method rejects with CrowdVisionError `unavailable` when the transport stays away longer than its timeout;
 * running consumers, tails, listeners and watches never reject for that, they reconnect with back-off.
 */
export interface Bus {
	/**
	 * Resolves with the entries' positions once all are durable. Rejects when none is. Where the connection breaks in
	 * between it rejects too, and then either all of them are stored or none: appending again may store them twice.
	 */
	append(stream: StreamName, entries: readonly string[]): Promise<Position[]>;

	/**
	 * Appends an entry unless one was appended under the same key (at most 200 bytes) before, by any process. Resolves
	 * with true when this call appended it, else with false. It may be retried after a rejection, and called by several
	 * processes at once. A key is remembered for a week in Redis, and for the dedup window of the stream's log when
	 * embedded.
	 */
	appendOnce(stream: StreamName, key: string, entry: string): Promise<boolean>;

	/**
	 * Delivers at least once per group: entries are acknowledged when `handle` resolves. When it rejects they are
	 * delivered again with back-off, then one by one, and an entry that fails `maxAttempts` times goes to the dead
	 * letters. Entries held by a member that died go to another member. Order is kept except where entries are
	 * redelivered. A new group begins at the oldest entry held.
	 *
	 * A handler that rejects with CrowdVisionError `unavailable` reports that something it needs is down: the entries are
	 * not to blame, so they are delivered again without limit and none is set aside.
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
	 * Delivers everything after `from`, in order, without a group; calls `onGap` first where some of it is no longer
	 * held. A handler's error is logged, and the tail goes on. Rejects with `bad_request` when `from` is not a position
	 * of this bus.
	 */
	tail(
		stream: StreamName,
		from: Position | 'end',
		handle: (entries: BusEntry[]) => void | Promise<void>,
		onGap?: (gap: TailGap) => void,
	): Promise<Subscription>;

	/** Position of the newest entry, or START: a tail from here gets exactly what is appended after this call. */
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
	/** `handle` gets each key's present value, then every change (null: removed). May repeat values after a reconnect. */
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<Subscription>;

	/** Undefined when usable, else the reason for a person. Resolves within a second. */
	trouble(): Promise<string | undefined>;

	/** Ends all subscriptions, waits for their handlers to return, then disconnects. */
	close(): Promise<void>;
}
