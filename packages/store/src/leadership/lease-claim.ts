import { CrowdVisionError } from '@crowdvision/contracts';
import type { Collection, Store, Write } from '../store.ts';

/** The stored document of a lease. `holder` is empty once it was given back. */
export interface LeaseDocument {
	holder: string;
	/** The lease lasts this long from its last renewal; a claimant that waits for it waits as long. */
	ttlMs: number;
}

const COLLECTION = 'leases';
/** Share of the time to live that a holder does not use, so that it has ended before another begins. */
const MARGIN = 0.1;

/**
 * One claimant of one lease, a step at a time. Clocks of two machines are never compared: a holder counts from the
 * START of its last successful renewal, and a claimant takes over only a lease that it has itself seen unchanged for
 * the whole time to live, which therefore began later.
 */
export class LeaseClaim {
	readonly #store: Store;
	readonly #leases: Collection<LeaseDocument>;
	readonly #name: string;
	/** Unique per claim: a process that restarted is another claimant. */
	readonly #token: string;
	readonly #ttlMs: number;
	#seen: { version: number; at: number } | undefined;

	constructor(store: Store, { name, token, ttlMs }: { name: string; token: string; ttlMs: number }) {
		this.#store = store;
		this.#leases = store.collection(COLLECTION);
		this.#name = name;
		this.#token = token;
		this.#ttlMs = ttlMs;
	}

	/**
	 * Takes or renews the lease. Resolves with the moment up to which it is held, on the monotonic clock `now` (ms), or
	 * with undefined where another claimant has it. A rejection leaves the moment known before in force.
	 */
	async attempt(now: () => number): Promise<number | undefined> {
		const started = now();
		const stored = await this.#leases.get(this.#name);
		const mine = { holder: this.#token, ttlMs: this.#ttlMs };
		if (stored && stored.value.holder !== '' && stored.value.holder !== this.#token) {
			if (this.#seen?.version !== stored.version) this.#seen = { version: stored.version, at: now() };
			if (now() - this.#seen.at < stored.value.ttlMs) return undefined;
		}
		const took = await this.#write(stored ? this.#leases.replace(stored, mine) : this.#leases.insert(this.#name, mine));
		return took ? started + this.#ttlMs * (1 - MARGIN) : undefined;
	}

	/** Gives the lease back if it is held, so that the next claimant need not wait for its end. */
	async release(): Promise<void> {
		const stored = await this.#leases.get(this.#name);
		if (stored?.value.holder === this.#token)
			await this.#write(this.#leases.replace(stored, { ...stored.value, holder: '' }));
	}

	/** Resolves with false where another claimant was faster. */
	async #write(write: Write): Promise<boolean> {
		try {
			await this.#store.commit([write]);
			return true;
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') return false;
			throw error;
		}
	}
}
