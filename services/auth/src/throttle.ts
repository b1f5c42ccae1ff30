import { CrowdVisionError } from '@crowdvision/contracts';

const FREE_TRIES = 5;
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
 * Slows down guessing: after five failures with the same key (account and address) each further try has to wait, twice as long
 * every time, up to a quarter of an hour. Bounded: the keys longest unused are forgotten first.
 */
export class LoginThrottle {
	readonly #tries = new Map<string, Tries>();

	/**
	 * Counts a try before it is made, so that many at once do not all pass; `succeeded` takes it back.
	 * @throws CrowdVisionError `rate_limited` with the seconds to wait.
	 */
	begin(key: string, now: number): void {
		let tries = this.#tries.get(key);
		if (!tries || now - tries.last > FORGET_AFTER_MS) tries = { failed: 0, last: now, blockedUntil: 0 };
		if (now < tries.blockedUntil) {
			throw new CrowdVisionError('rate_limited', 'Too many failed attempts to sign in', {}, Math.ceil((tries.blockedUntil - now) / 1000));
		}
		tries.failed++;
		tries.last = now;
		if (tries.failed >= FREE_TRIES) tries.blockedUntil = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries.failed - FREE_TRIES));
		this.#tries.delete(key);
		this.#tries.set(key, tries);
		if (this.#tries.size > MOST_KEPT) this.#tries.delete(this.#tries.keys().next().value!);
	}

	succeeded(key: string): void {
		this.#tries.delete(key);
	}
}
