import { count, type Tally } from '../../ledger/tally.ts';

/** Why a message was not passed on, or not taken. */
export type DropReason = keyof typeof DROP_REASONS;

/** In the words of the ledger: left out on purpose, refused, or given up. */
const DROP_REASONS = {
	/** Came back from where it was sent, and stays out. */
	echo: 'ignored',
	/** The bridge is the second way into a loop: the other way carries it. */
	standby: 'ignored',
	/** Went round: it bears this gateway's id, or came back too often. */
	loop: 'ignored',
	/** On a topic that no rule asks for. */
	no_rule: 'ignored',
	/** What intake refused; it stands in the rejected list. */
	rejected: 'rejected',
	/** The remote refused it (MQTT 5 only). */
	refused: 'rejected',
	too_large: 'rejected',
	/** Given up by the queue's bound, or damaged on disk. */
	lost: 'dropped',
} as const;

/**
 * What became of the messages of one direction of a bridge: its account in the ledger. received = delivered + pending +
 * dropped.
 */
export class BridgeAccount {
	readonly #account: Tally;

	constructor(account: Tally) {
		this.#account = account;
	}

	/** Messages that came in and are not decided on; less than 0 takes back. */
	arrived(messages = 1): void {
		this.#account.received += messages;
		this.#account.pending += messages;
	}

	/** One of them is where it should be, or will not get there. */
	settled(dropped?: DropReason): void {
		this.#account.pending--;
		if (dropped) this.#drop(dropped, 1);
		else this.#account.accepted++;
	}

	/** Messages that are decided on as they come. */
	drop(reason: DropReason, messages = 1): void {
		this.#account.received += messages;
		this.#drop(reason, messages);
	}

	get delivered(): number {
		return this.#account.accepted;
	}

	get received(): number {
		return this.#account.received;
	}

	dropped(reason: DropReason): number {
		return this.#account[DROP_REASONS[reason]].get(reason) ?? 0;
	}

	summary(): { received: number; delivered: number; pending: number; dropped: Record<string, number> } {
		const { received, accepted, pending, ignored, rejected, dropped } = this.#account;
		return {
			received,
			delivered: accepted,
			pending,
			dropped: Object.fromEntries([...ignored, ...rejected, ...dropped]),
		};
	}

	#drop(reason: DropReason, messages: number): void {
		count(this.#account[DROP_REASONS[reason]], reason, messages);
	}
}
