import { CrowdVisionError } from '@crowdvision/contracts';

const FIRST_WAIT_MS = 15_000;
const LONGEST_WAIT_MS = 15 * 60_000;
const FORGET_AFTER_MS = 30 * 60_000;
const MOST_KEPT = 10_000;

interface Tries {
	failed: number;
	last: number;
	blockedUntil: number;
}

/**
 * Slows down guessing: after `free` failures with the same key each further try has to wait, twice as long every time,
 * up to a quarter of an hour. Bounded: the keys longest unused are forgotten first. Each process counts for itself.
 */
export class Throttle {
	readonly #free: number;
	readonly #what: string;
	readonly #tries = new Map<string, Tries>();

	/** `what` ends the sentence "Too many …". */
	constructor(free: number, what: string) {
		this.#free = free;
		this.#what = what;
	}

	/**
	 * Counts a try before it is made, so that many at once do not all pass; `succeeded` takes it back.
	 * @throws CrowdVisionError `rate_limited` with the seconds to wait.
	 */
	begin(key: string, now: number): void {
		let tries = this.#tries.get(key);
		if (!tries || now - tries.last > FORGET_AFTER_MS) tries = { failed: 0, last: now, blockedUntil: 0 };
		if (now < tries.blockedUntil) {
			throw new CrowdVisionError(
				'rate_limited',
				`Too many ${this.#what}`,
				{},
				Math.ceil((tries.blockedUntil - now) / 1000),
			);
		}
		tries.failed++;
		tries.last = now;
		if (tries.failed >= this.#free)
			tries.blockedUntil = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries.failed - this.#free));
		this.#tries.delete(key);
		this.#tries.set(key, tries);
		if (this.#tries.size > MOST_KEPT) this.#tries.delete(this.#tries.keys().next().value!);
	}

	/** Takes one try back, and leaves the failures. */
	takeBack(key: string): void {
		const tries = this.#tries.get(key);
		if (!tries) return;
		tries.failed--;
		if (tries.failed < this.#free) tries.blockedUntil = 0;
	}

	/** Forgets the failures. */
	succeeded(key: string): void {
		this.#tries.delete(key);
	}
}

/**
 * What auth slows down. Of an account, of a pair of account and address, and of an address alone, the strictest counts.
 */
export interface Throttles {
	/** By account and address. */
	login: Throttle;
	/** By account, from wherever: many machines that guess one password. */
	loginAccount: Throttle;
	/** By address: one machine that tries many accounts. */
	loginAddress: Throttle;
	registration: Throttle;
	/** By account, and by address. */
	join: Throttle;
	joinAddress: Throttle;
}

export function createThrottles(): Throttles {
	return {
		login: new Throttle(5, 'failed attempts to sign in'),
		loginAccount: new Throttle(50, 'failed attempts to sign in'),
		loginAddress: new Throttle(100, 'failed attempts to sign in'),
		registration: new Throttle(300, 'new accounts from one address'),
		join: new Throttle(5, 'wrong codes'),
		joinAddress: new Throttle(20, 'wrong codes'),
	};
}
