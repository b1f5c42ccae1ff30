/** How many records, by the reason of the gap they are lost in. */
export type Lost = Record<string, number>;

/** Records between two offsets, by what is known of them: those that are held, and those that are lost. */
export interface Due {
	records: number;
	lost: Lost;
}

/** What an account needs of its log. */
export interface Countable {
	/** The offset after the last record on disk, also of those that readers do not see yet. */
	readonly durableEnd: number;
	/** Records stored since the log was opened. */
	readonly appended: number;
	due(from: number, to: number): Due;
}

/**
 * What became of what a consumer was to get since it began. appended = delivered + lost + queued; `imbalance` is by how
 * much it is not.
 */
export interface CursorBalance {
	/** What waited when it began, and what was appended since. */
	appended: number;
	delivered: number;
	lost: Lost;
	queued: number;
	imbalance: number;
}

const MOST_REMEMBERED = 512;

/**
 * The books of one consumer of the log. What it delivers and what it is told is lost is counted as it happens; what
 * there was to deliver comes from the log's own count of what it stored, and what still waits from offsets and known
 * gaps: three counts that know nothing of each other.
 */
export class CursorAccount {
	readonly #log: Countable;
	/** Where its cursor stands, as long as its consumer has not begun. */
	readonly #cursor: () => number;
	/** How many records are in the consumer's hands: read, and neither delivered nor given up. */
	#inHand: () => number = () => 0;
	#position: number | undefined;
	/** What was due when it began, without what the log had stored until then. */
	#base = 0;
	#delivered = 0;
	readonly #lost: Lost = {};
	/** Where the last deliveries ended, and when: a ring. */
	readonly #ends: { next: number; at: number }[] = [];

	constructor(log: Countable, cursor: () => number) {
		this.#log = log;
		this.#cursor = cursor;
	}

	/** False until its consumer begins: nothing is known of it. */
	get begun(): boolean {
		return this.#position !== undefined;
	}

	/**
	 * The consumer reads on at `position`: at its start, and whenever it is told that it stands elsewhere. What it has to
	 * deliver again counts as appended again. `inHand` says how many records it has read and not yet dealt with, where it
	 * does not deal with them at once.
	 */
	begin(position: number, inHand: () => number = () => 0): void {
		this.#inHand = inHand;
		const { records, lost } = this.#log.due(position, this.#log.durableEnd);
		this.#base = this.#delivered + sum(this.#lost) + records + sum(lost) + inHand() - this.#log.appended;
		this.#position = position;
	}

	/**
	 * The consumer has read up to before `next`, and was told of `gaps`. What it read it has in hand, or has dealt with
	 * before the next turn of the event loop.
	 */
	read(next: number, gaps: readonly { from: number; to: number; reason: string }[]): void {
		for (const { from, to, reason } of gaps)
			if (isLoss(reason)) this.#lost[reason] = (this.#lost[reason] ?? 0) + to - from + 1;
		this.#position = next;
	}

	/** So many records are delivered, and all before `next`, at `now` (epoch ms). */
	delivered(records: number, next: number, now: number): void {
		this.#delivered += records;
		if (records === 0) return;
		this.#ends.push({ next, at: now });
		if (this.#ends.length > MOST_REMEMBERED) this.#ends.splice(0, MOST_REMEMBERED / 2);
	}

	/** When the record of this offset was delivered, epoch ms; undefined where that is not known (any more). */
	deliveredAt(offset: number): number | undefined {
		const first = this.#ends.findIndex(({ next }) => next > offset);
		// Before the oldest that is remembered it may have been any time.
		return first > 0 || (first === 0 && this.#ends.length < MOST_REMEMBERED / 2) ? this.#ends[first]!.at : undefined;
	}

	balance(): CursorBalance {
		const position = this.#position ?? this.#cursor();
		const ahead = this.#log.due(position, this.#log.durableEnd);
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

/** What was dropped at the door was never appended, so no consumer has lost it. */
export function isLoss(reason: string): boolean {
	return reason !== 'dropped-newest';
}

function sum(counts: Lost): number {
	return Object.values(counts).reduce((total, count) => total + count, 0);
}
