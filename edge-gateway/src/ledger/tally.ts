/** Counts of what became of everything that came in one way. */
import type { TallySummary } from '@crowdvision/contracts';
/**
 * What became of everything that came in one way: of the readings of a source, or of the messages of a bridge or a
 * decoder rule.
 *
 *   received + carried = accepted + duplicates + deferred + Σ rejected + Σ ignored + Σ dropped
 *                        + decoding + pending + queued
 *
 * `received` is counted at the entrance, the rest where the outcome is decided. Neither is computed from the other, so
 * that a loss shows.
 */
export class Tally {
	received = 0;
	/** Waiting when this process started; only where there is a queue on disk. */
	carried = 0;
	/** Durable in the log; of a bridge: acknowledged by the other side. */
	accepted = 0;
	/** Recognized redeliveries. */
	duplicates = 0;
	/** Not taken (log full, disk, rate): the sender was told to try again. */
	deferred = 0;
	/** Device restarts, inferred from a `seq` that began again. Included in `accepted`. */
	restarts = 0;
	/** In a decoder. */
	decoding = 0;
	/** On their way to the disk. */
	pending = 0;
	/** How many wait in a queue that keeps its own count. */
	queued: () => number = () => 0;
	readonly rejected = new Map<string, number>();
	/** Left out on purpose, by reason; nothing is wrong with them. */
	readonly ignored = new Map<string, number>();
	/** Given up for want of room or time, by reason; nothing was wrong with them. */
	readonly dropped = new Map<string, number>();

	/** How far the equation above is off: positive when some are missing, negative when some are counted twice. */
	imbalance(): number {
		const decided =
			this.accepted +
			this.duplicates +
			this.deferred +
			total(this.rejected) +
			total(this.ignored) +
			total(this.dropped);
		return this.received + this.carried - decided - this.decoding - this.pending - this.queued();
	}

	summary(): TallySummary {
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

/** The sum of two tallies. */
export function sumOf(one: TallySummary, other: TallySummary): TallySummary {
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
