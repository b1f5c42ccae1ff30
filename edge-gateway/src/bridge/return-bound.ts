import { keyOf } from './echo-account.ts';
import { MOST_HOPS } from './loop-guard.ts';

const MOST_REMEMBERED = 20_000;
const QUIET_MS = 10_000;

/**
 * The last line of defence, where a message bears no mark: how often the same one came back by another bridge than it was sent on. A message that
 * goes round is given up after sixteen rounds, and until it has not been seen for ten seconds.
 */
export class ReturnBound {
	readonly #seen = new Map<string, { link: string; at: number; returns: number }>();

	sent(link: string, topic: string, payload: Buffer, now: number): void {
		const key = keyOf(topic, payload);
		const seen = this.#seen.get(key);
		this.#seen.delete(key);
		const fresh = seen !== undefined && seen.at > now - QUIET_MS;
		this.#seen.set(key, { link, at: now, returns: fresh ? seen.returns : 0 });
		if (this.#seen.size > MOST_REMEMBERED) for (const oldest of this.#seen.keys()) return void this.#seen.delete(oldest);
	}

	/** Counts a message that came by `link`; true where it came back too often. */
	goesRound(link: string, topic: string, payload: Buffer, now: number): boolean {
		const seen = this.#seen.get(keyOf(topic, payload));
		if (!seen || seen.link === link || seen.at <= now - QUIET_MS) return false;
		seen.at = now;
		return ++seen.returns > MOST_HOPS;
	}
}
