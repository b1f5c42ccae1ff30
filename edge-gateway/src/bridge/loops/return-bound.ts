import { keyOf } from './echo-account.ts';
import { MOST_HOPS } from './loop-guard.ts';

const MOST_REMEMBERED = 20_000;
const REMEMBER_MS = 60_000;

/**
 * What the bridges have sent of late, for the moment a message comes back by another one: then a loop may have been
 * closed somewhere since the last probe. And the last line of defence, where no probe can tell: a message that comes
 * back more than sixteen times is given up, until it has not been seen for a minute.
 */
export class ReturnBound {
	readonly #seen = new Map<string, { links: string[]; at: number; returns: number }>();

	sent(link: string, topic: string, payload: Buffer, now: number): void {
		const key = keyOf(topic, payload);
		const seen = this.#seen.get(key);
		this.#seen.delete(key);
		const known = seen && seen.at > now - REMEMBER_MS ? seen : { links: [] as string[], returns: 0 };
		const links = known.links.includes(link) ? known.links : [...known.links, link];
		this.#seen.set(key, { links, at: now, returns: known.returns });
		if (this.#seen.size > MOST_REMEMBERED)
			for (const oldest of this.#seen.keys()) return void this.#seen.delete(oldest);
	}

	/** The other bridges that the same message was sent on. */
	sentElsewhere(link: string, topic: string, payload: Buffer, now: number): string[] {
		const seen = this.#seen.get(keyOf(topic, payload));
		return seen && seen.at > now - REMEMBER_MS ? seen.links.filter((one) => one !== link) : [];
	}

	/** Counts a message that came back; true where it did so too often. */
	goesRound(topic: string, payload: Buffer, now: number): boolean {
		const seen = this.#seen.get(keyOf(topic, payload));
		if (!seen) return false;
		seen.at = now;
		return ++seen.returns > MOST_HOPS;
	}
}
