import { CrowdVisionError } from '@crowdvision/contracts';
import type { Collection, Store, Write } from './store.ts';

/** The document of a lease. `holder` is empty when it was given back. */
export interface LeaseDocument {
	holder: string;
	/** For how long the holder counts from its last renewal; whoever waits, waits as long. */
	ttlMs: number;
}

/** Of the time to live: what a holder gives away, so that it has ended before another begins. */
const MARGIN = 0.1;

/**
 * One claimant of one lease, a step at a time. No two machines' clocks are compared: a holder counts from the START of
 * its last successful renewal; another takes over only what it has itself seen unchanged for the whole time to live,
 * which therefore began later.
 */
export class LeaseClaim {
	readonly #store: Store;
	readonly #leases: Collection<LeaseDocument>;
	readonly #name: string;
	/** Another with every claim: a process that comes back is not the one that went. */
	readonly #token: string;
	readonly #ttlMs: number;
	#seen: { version: number; at: number } | undefined;

	constructor(
		store: Store,
		collection: string,
		{ name, token, ttlMs }: { name: string; token: string; ttlMs: number },
	) {
		this.#store = store;
		this.#leases = store.collection(collection);
		this.#name = name;
		this.#token = token;
		this.#ttlMs = ttlMs;
	}

	/**
	 * Takes or renews the lease: resolves with the moment, on the monotonic clock `now` (in ms), up to which it is held,
	 * or undefined where another has it. After a rejection it is held no longer than was known before.
	 */
	async attempt(now: () => number): Promise<number | undefined> {
		const started = now();
		const kept = await this.#leases.get(this.#name);
		const mine = { holder: this.#token, ttlMs: this.#ttlMs };
		if (kept && kept.value.holder !== '' && kept.value.holder !== this.#token) {
			if (this.#seen?.version !== kept.version) this.#seen = { version: kept.version, at: now() };
			if (now() - this.#seen.at < kept.value.ttlMs) return undefined;
		}
		const took = await this.#write(kept ? this.#leases.replace(kept, mine) : this.#leases.insert(this.#name, mine));
		return took ? started + this.#ttlMs * (1 - MARGIN) : undefined;
	}

	/** Gives the lease back where it is held, so that the next need not wait. */
	async release(): Promise<void> {
		const kept = await this.#leases.get(this.#name);
		if (kept?.value.holder === this.#token)
			await this.#write(this.#leases.replace(kept, { ...kept.value, holder: '' }));
	}

	/** False where another was faster. */
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
