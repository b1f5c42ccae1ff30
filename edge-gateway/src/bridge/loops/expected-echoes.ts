import { messageKey } from './message-key.ts';

const MAX_EXPECTED = 50_000;

/**
 * The messages that were sent and may come back, as a multiset: each is expected once for each time it was sent, so
 * that the same message from another sender is not taken for an echo. Bounded in number and age. Ages count only the
 * time for which the connection is up, because an echo may wait at the remote while it is not.
 */
export class ExpectedEchoes {
	readonly #maxAgeMs: number;
	/** Times at which a message was sent, by its key, oldest first. */
	readonly #sent = new Map<string, number[]>();
	/** All of them, oldest first. */
	readonly #order: { key: string; at: number }[] = [];

	/** @param maxAgeMs an echo is no longer expected after this time */
	constructor(maxAgeMs: number) {
		this.#maxAgeMs = maxAgeMs;
	}

	get size(): number {
		return this.#order.length;
	}

	/** Expects an echo of this message. `now` is for how many ms the connection has been up. */
	expect(topic: string, payload: Buffer, now: number): void {
		this.#expire(now);
		const key = messageKey(topic, payload);
		const times = this.#sent.get(key);
		if (times) times.push(now);
		else this.#sent.set(key, [now]);
		this.#order.push({ key, at: now });
		if (this.#order.length > MAX_EXPECTED) this.#forgetOldest();
	}

	/** Whether this message is an expected echo, which then is expected one time less. */
	take(topic: string, payload: Buffer, now: number): boolean {
		if (this.#order.length === 0) return false;
		this.#expire(now);
		const key = messageKey(topic, payload);
		const times = this.#sent.get(key);
		if (!times) return false;
		const at = times.shift()!;
		if (times.length === 0) this.#sent.delete(key);
		const index = this.#order.findIndex((one) => one.key === key && one.at === at);
		if (index >= 0) this.#order.splice(index, 1);
		return true;
	}

	clear(): void {
		this.#sent.clear();
		this.#order.length = 0;
	}

	#expire(now: number): void {
		while (this.#order.length > 0 && this.#order[0]!.at < now - this.#maxAgeMs) this.#forgetOldest();
	}

	#forgetOldest(): void {
		const { key } = this.#order.shift()!;
		const times = this.#sent.get(key);
		times?.shift();
		if (times?.length === 0) this.#sent.delete(key);
	}
}
