import { createHash } from 'node:crypto';

const MOST = 50_000;

/**
 * What was sent and is expected back, as a multiset: an echo is taken out once, so that the same message from somebody
 * else passes. Bounded in number and in time; time counts only while the connection is up, as an echo may wait at the
 * remote for as long as it is not.
 */
export class EchoAccount {
	readonly #keepMs: number;
	readonly #expected = new Map<string, number[]>();
	readonly #order: { key: string; at: number }[] = [];

	/** An expectation is given up after `keepMs`. */
	constructor(keepMs: number) {
		this.#keepMs = keepMs;
	}

	get size(): number {
		return this.#order.length;
	}

	/** `now`: ms the connection has been up. */
	expect(topic: string, payload: Buffer, now: number): void {
		this.#expire(now);
		const key = keyOf(topic, payload);
		const times = this.#expected.get(key);
		if (times) times.push(now);
		else this.#expected.set(key, [now]);
		this.#order.push({ key, at: now });
		if (this.#order.length > MOST) this.#forgetOldest();
	}

	/** True, once for each time it was expected, where this is an echo. */
	take(topic: string, payload: Buffer, now: number): boolean {
		if (this.#order.length === 0) return false;
		this.#expire(now);
		const key = keyOf(topic, payload);
		const times = this.#expected.get(key);
		if (!times) return false;
		const at = times.shift()!;
		if (times.length === 0) this.#expected.delete(key);
		const index = this.#order.findIndex((one) => one.key === key && one.at === at);
		if (index >= 0) this.#order.splice(index, 1);
		return true;
	}

	clear(): void {
		this.#expected.clear();
		this.#order.length = 0;
	}

	#expire(now: number): void {
		while (this.#order.length > 0 && this.#order[0]!.at < now - this.#keepMs) this.#forgetOldest();
	}

	#forgetOldest(): void {
		const { key } = this.#order.shift()!;
		const times = this.#expected.get(key);
		times?.shift();
		if (times?.length === 0) this.#expected.delete(key);
	}
}

/** The same for the same message only. */
export function keyOf(topic: string, payload: Buffer): string {
	return createHash('sha1').update(topic).update('\0').update(payload).digest('base64');
}
