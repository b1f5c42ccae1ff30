import { RateLimiter } from './rate-limiter.ts';

const PER_SECOND = 10;
const LONGEST_MS = 5000;

/**
 * Delays the answers to failed sign-ins, by address. The first twenty are answered at once, then ten a second, each
 * after at most five seconds. A device with a valid token never waits, whoever shares its address.
 */
export class SignInThrottle {
	readonly #failures = new RateLimiter(PER_SECOND);

	/** Counts a failure; returns how long to wait before answering it, in ms. */
	failed(address: string): number {
		const bucket = this.#failures.of(address);
		const wait = bucket.wait(performance.now());
		if (wait >= LONGEST_MS) return LONGEST_MS;
		bucket.spend();
		return wait;
	}
}
