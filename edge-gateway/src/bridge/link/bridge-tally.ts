import { count, type Tally } from '../../ledger/tally.ts';

/** Why a message did not get through. */
export type DropReason = keyof typeof DROP_REASONS;

/** Where the ledger counts each reason: left out on purpose (ignored), refused (rejected), or given up (dropped). */
const DROP_REASONS = {
	/** It came back from where it was sent. */
	echo: 'ignored',
	/** The bridge is on standby in a loop: another bridge carries the message. */
	standby: 'ignored',
	/** It went round a loop: its path names this gateway, or it came back too often. */
	loop: 'ignored',
	/** No rule maps its topic. */
	no_rule: 'ignored',
	/** The intake refused it; it is in the rejected list. */
	rejected: 'rejected',
	/** The remote refused it (MQTT 5 only). */
	refused: 'rejected',
	too_large: 'rejected',
	/** The queue's bound was reached, or its record is damaged. */
	lost: 'dropped',
} as const;

/** Counts the messages of one direction of a bridge in the ledger: received = delivered + pending + dropped. */
export class BridgeTally {
	readonly #tally: Tally;

	constructor(tally: Tally) {
		this.#tally = tally;
	}

	/** Counts a message that has arrived and is pending. */
	arrived(): void {
		this.#tally.received++;
		this.#tally.pending++;
	}

	/** Counts a pending message as delivered, or as dropped. */
	finished(dropped?: DropReason): void {
		this.#tally.pending--;
		if (dropped) this.#drop(dropped, 1);
		else this.#tally.accepted++;
	}

	/** Counts messages that are dropped as they arrive. */
	drop(reason: DropReason, messages = 1): void {
		this.#tally.received += messages;
		this.#drop(reason, messages);
	}

	get delivered(): number {
		return this.#tally.accepted;
	}

	get received(): number {
		return this.#tally.received;
	}

	/** How many messages were dropped for this reason. */
	dropped(reason: DropReason): number {
		return this.#tally[DROP_REASONS[reason]].get(reason) ?? 0;
	}

	summary(): { received: number; delivered: number; pending: number; dropped: Record<string, number> } {
		const { received, accepted, pending, ignored, rejected, dropped } = this.#tally;
		return {
			received,
			delivered: accepted,
			pending,
			dropped: Object.fromEntries([...ignored, ...rejected, ...dropped]),
		};
	}

	#drop(reason: DropReason, messages: number): void {
		count(this.#tally[DROP_REASONS[reason]], reason, messages);
	}
}
