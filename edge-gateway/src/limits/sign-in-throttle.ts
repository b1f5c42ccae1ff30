import { RateLimit } from './rate-limit.ts';

const PER_SECOND = 10;
const LONGEST_MS = 5000;

/**
 * Slows down whoever keeps failing to sign in, by address. Only failures wait: a device with a good token is let in at
 * once, whoever shares its address. Beyond twenty at once, they are answered ten a second, the latest after five
 * seconds.
 */
export class SignInThrottle {
	readonly #failures = new RateLimit(PER_SECOND);

	/** How long the answer to this failure must wait, in ms. */
	failed(address: string): number {
		const bucket = this.#failures.of(address);
		const wait = bucket.wait(performance.now());
		if (wait >= LONGEST_MS) return LONGEST_MS;
		bucket.spend();
		return wait;
	}
}
