/** Number of lost records by the reason of their gap. */
export type Lost = Record<string, number>;

/** The records between two offsets, as far as known. */
export interface RangeCount {
	/** Records that are held. */
	records: number;
	/** Records that are lost. */
	lost: Lost;
}

/** The part of a log that a tally needs. */
export interface Countable {
	/** The offset after the last durable record, visible or not. */
	readonly durableEnd: number;
	/** Records stored since the log was opened. */
	readonly appended: number;
	/** Counts the offsets from `from` to before `to`. */
	count(from: number, to: number): RangeCount;
}

/**
 * What happened to the records that a consumer was to get since it began: appended = delivered + lost + queued. Any
 * difference is the `imbalance`, which must be 0.
 */
export interface CursorBalance {
	/** Records that waited when it began, plus records appended since. */
	appended: number;
	delivered: number;
	lost: Lost;
	queued: number;
	imbalance: number;
}

const MAX_REMEMBERED = 512;

/**
 * The tally of one consumer of the log. Delivered and lost records are counted as they happen, the records to deliver
 * come from the log's own count of stored records, and the waiting ones from offsets and known gaps: three independent
 * counts.
 */
export class CursorTally {
	readonly #log: Countable;
	/** The position of its cursor, used until its consumer begins. */
	readonly #cursor: () => number;
	/** Number of records that the consumer has read and not finished. */
	#inHand: () => number = () => 0;
	#position: number | undefined;
	/** Records due when it began, minus the records that the log had stored until then. */
	#base = 0;
	#delivered = 0;
	readonly #lost: Lost = {};
	/** Ends of the last deliveries with their times, oldest first. */
	readonly #ends: { next: number; at: number }[] = [];

	constructor(log: Countable, cursor: () => number) {
		this.#log = log;
		this.#cursor = cursor;
	}

	/** False until its consumer begins. */
	get begun(): boolean {
		return this.#position !== undefined;
	}

	/**
	 * Call it when the consumer starts reading at `position`, or continues elsewhere. Records that it has to deliver
	 * again count as appended again. `inHand` returns how many records it has read and not finished, for a consumer that
	 * does not finish them at once.
	 */
	begin(position: number, inHand: () => number = () => 0): void {
		this.#inHand = inHand;
		const { records, lost } = this.#log.count(position, this.#log.durableEnd);
		this.#base = this.#delivered + sum(this.#lost) + records + sum(lost) + inHand() - this.#log.appended;
		this.#position = position;
	}

	/**
	 * Call it when the consumer has read up to before `next` and got `gaps`. It must hold the records it read, or finish
	 * them before the next turn of the event loop.
	 */
	read(next: number, gaps: readonly { from: number; to: number; reason: string }[]): void {
		for (const { from, to, reason } of gaps)
			if (isLoss(reason)) this.#lost[reason] = (this.#lost[reason] ?? 0) + to - from + 1;
		this.#position = next;
	}

	/** Call it when `records` more are delivered, and with them everything before `next`, at `now` (epoch ms). */
	delivered(records: number, next: number, now: number): void {
		this.#delivered += records;
		if (records === 0) return;
		this.#ends.push({ next, at: now });
		if (this.#ends.length > MAX_REMEMBERED) this.#ends.splice(0, MAX_REMEMBERED / 2);
	}

	/** When the record at this offset was delivered, epoch ms; undefined where that is no longer known. */
	deliveredAt(offset: number): number | undefined {
		const first = this.#ends.findIndex(({ next }) => next > offset);
		// Anything before the oldest remembered delivery may have been delivered at any time.
		return first > 0 || (first === 0 && this.#ends.length < MAX_REMEMBERED / 2) ? this.#ends[first]!.at : undefined;
	}

	balance(): CursorBalance {
		const position = this.#position ?? this.#cursor();
		const ahead = this.#log.count(position, this.#log.durableEnd);
		const lost = { ...this.#lost };
		for (const [reason, count] of Object.entries(ahead.lost)) lost[reason] = (lost[reason] ?? 0) + count;
		const queued = ahead.records + this.#inHand();
		const appended = this.begun ? this.#base + this.#log.appended : queued + sum(lost);
		return {
			appended,
			delivered: this.#delivered,
			lost,
			queued,
			imbalance: appended - this.#delivered - sum(lost) - queued,
		};
	}
}

/** Records dropped as the newest were never appended, so no consumer has lost them. */
export function isLoss(reason: string): boolean {
	return reason !== 'dropped-newest';
}

function sum(counts: Lost): number {
	return Object.values(counts).reduce((total, count) => total + count, 0);
}
