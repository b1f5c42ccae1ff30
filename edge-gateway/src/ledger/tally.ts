/**
 * What became of what came one way: readings of a source, messages of a bridge or of a decoder's rule.
 *
 *   received + carried = accepted + duplicates + deferred + Σ rejected + Σ ignored + Σ dropped + decoding + pending +
 * queued
 *
 * `received` is counted where something comes in, the rest where it is decided what becomes of it: never one from the
 * other, or nothing could be missed.
 */
export class Account {
	received = 0;
	/** What waited already when this process began; for ways with a queue on disk. */
	carried = 0;
	/** Durable in the log; of a bridge: acknowledged by the other side. */
	accepted = 0;
	/** Redeliveries that were recognized. */
	duplicates = 0;
	/** Not taken for now (log full, disk, rate): the sender was told to come again. */
	deferred = 0;
	/** Restarts inferred from a seq that began again; these are among the accepted. */
	restarts = 0;
	/** With a decoder. */
	decoding = 0;
	/** On their way to the disk. */
	pending = 0;
	/** How many wait in a queue that counts them itself. */
	queued: () => number = () => 0;
	readonly rejected = new Map<string, number>();
	/** Left out on purpose: nothing is wrong with them, and nothing is to be done about them. */
	readonly ignored = new Map<string, number>();
	/** Given up: nothing was wrong with them, but there was no room or no time. */
	readonly dropped = new Map<string, number>();

	/** By how much the equation above does not hold: more than 0 went missing, less than 0 were counted twice. */
	imbalance(): number {
		const settled =
			this.accepted +
			this.duplicates +
			this.deferred +
			total(this.rejected) +
			total(this.ignored) +
			total(this.dropped);
		return this.received + this.carried - settled - this.decoding - this.pending - this.queued();
	}

	summary(): AccountSummary {
		const { received, accepted, duplicates, deferred, restarts } = this;
		return {
			received: received + this.carried,
			accepted,
			duplicates,
			deferred,
			restarts,
			pending: this.decoding + this.pending + this.queued(),
			rejected: Object.fromEntries(this.rejected),
			ignored: Object.fromEntries(this.ignored),
			dropped: Object.fromEntries(this.dropped),
			imbalance: this.imbalance(),
		};
	}
}

/** An account as it is shown. */
export interface AccountSummary {
	received: number;
	accepted: number;
	duplicates: number;
	deferred: number;
	restarts: number;
	pending: number;
	rejected: Record<string, number>;
	ignored: Record<string, number>;
	dropped: Record<string, number>;
	imbalance: number;
}

/** Two accounts as one. */
export function together(one: AccountSummary, other: AccountSummary): AccountSummary {
	const counts = (key: 'rejected' | 'ignored' | 'dropped') => {
		const sum = { ...one[key] };
		for (const [reason, times] of Object.entries(other[key])) sum[reason] = (sum[reason] ?? 0) + times;
		return sum;
	};
	return {
		received: one.received + other.received,
		accepted: one.accepted + other.accepted,
		duplicates: one.duplicates + other.duplicates,
		deferred: one.deferred + other.deferred,
		restarts: one.restarts + other.restarts,
		pending: one.pending + other.pending,
		rejected: counts('rejected'),
		ignored: counts('ignored'),
		dropped: counts('dropped'),
		imbalance: one.imbalance + other.imbalance,
	};
}

/** Adds to the count of one reason. */
export function count(reasons: Map<string, number>, reason: string, times = 1): void {
	reasons.set(reason, (reasons.get(reason) ?? 0) + times);
}

function total(reasons: ReadonlyMap<string, number>): number {
	let sum = 0;
	for (const times of reasons.values()) sum += times;
	return sum;
}
