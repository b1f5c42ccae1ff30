import { randomUUID } from 'node:crypto';
import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import { LeaseClaim } from './lease-claim.ts';
import type { Store } from './store.ts';

export interface LeaseOptions {
	/** A collection of the store, defined without more: `leases: {}`. Default `leases`. */
	collection?: string;
	/** What it is about; one lease each. */
	name: string;
	/** For people: which replica. */
	holder: string;
	/** How long a holder that is gone keeps the others waiting. Default 15 s. */
	ttlMs?: number;
	logger?: PlainLogger;
}

/** A wish to hold a lease, until it is closed. */
export interface Holding {
	/** Whether this process may count on holding the lease at this moment. */
	readonly held: boolean;
	/** Ends the work, waits for it, and gives the lease back. */
	close(): Promise<void>;
}

/** Tries in the time to live. */
const RENEWALS = 3;
const LOOKS = 4;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Of several replicas, one at a time: the others stand by. A process that stood still may work on for a moment after
 * another has begun (it cannot know yet), so the lease spares double work but is no fence: that is the version of every
 * document that is changed (see Store.commit).
 */
export class Lease {
	readonly #options: Required<LeaseOptions>;
	readonly #store: Store;

	constructor(store: Store, options: LeaseOptions) {
		this.#store = store;
		this.#options = { collection: 'leases', ttlMs: 15_000, logger: NO_LOGGER, ...options };
	}

	/**
	 * Runs `work` whenever this process holds the lease. It has to end when its signal aborts: the lease is lost then, or
	 * the holding is closed. When it ends by itself or rejects, the lease is given back, and claimed again after a pause.
	 */
	hold(work: (signal: AbortSignal) => Promise<void>): Holding {
		const { collection, name, holder, ttlMs } = this.#options;
		const claim = new LeaseClaim(this.#store, collection, { name, token: `${holder} ${randomUUID()}`, ttlMs });
		const closing = new AbortController();
		const duty = { until: Number.NEGATIVE_INFINITY };
		const done = this.#claimOnAndOn(claim, work, closing.signal, duty);
		return {
			get held() {
				return !closing.signal.aborted && performance.now() < duty.until;
			},
			close: async () => {
				closing.abort();
				await done;
			},
		};
	}

	async #claimOnAndOn(
		claim: LeaseClaim,
		work: (signal: AbortSignal) => Promise<void>,
		closing: AbortSignal,
		duty: { until: number },
	): Promise<void> {
		const { name, ttlMs, logger } = this.#options;
		for (let failures = 0; !closing.aborted; ) {
			try {
				const until = await claim.attempt(() => performance.now());
				if (until === undefined) {
					failures = 0;
					await pause((ttlMs / LOOKS) * (0.75 + Math.random() / 2), closing);
					continue;
				}
				duty.until = until;
				logger.info({ lease: name }, 'lease: taken');
				const began = performance.now();
				await this.#onDuty(claim, work, closing, duty);
				if (performance.now() - began > LONGEST_PAUSE_MS) failures = 0;
			} catch (error) {
				logger.warn({ err: error, lease: name }, 'lease: trying again');
			}
			if (!closing.aborted)
				await pause(backOff(failures++, FIRST_PAUSE_MS, Math.min(ttlMs, LONGEST_PAUSE_MS)), closing);
		}
	}

	/** Works for as long as the lease can be renewed; rejects as the work does. */
	async #onDuty(
		claim: LeaseClaim,
		work: (signal: AbortSignal) => Promise<void>,
		closing: AbortSignal,
		duty: { until: number },
	): Promise<void> {
		const { name, logger } = this.#options;
		const over = new AbortController();
		const close = () => over.abort();
		closing.addEventListener('abort', close, { once: true });
		if (closing.aborted) close();
		const renewing = this.#renew(claim, over, duty);
		try {
			await work(over.signal);
		} finally {
			closing.removeEventListener('abort', close);
			over.abort();
			await renewing;
			const lost = performance.now() >= duty.until;
			duty.until = Number.NEGATIVE_INFINITY;
			if (lost) logger.warn({ lease: name }, 'lease: lost, another replica may have it');
			else
				await claim
					.release()
					.catch((error: unknown) => logger.warn({ err: error, lease: name }, 'lease: not given back, it runs out'));
		}
	}

	/** Renews until it is over, and says that it is when another has the lease or the time has run out. */
	async #renew(claim: LeaseClaim, over: AbortController, duty: { until: number }): Promise<void> {
		const { ttlMs } = this.#options;
		while (!over.signal.aborted) {
			const end = setTimeout(
				() => {
					// A timer may be early by a fraction of a millisecond, and whoever's work ends holds nothing.
					duty.until = Number.NEGATIVE_INFINITY;
					over.abort();
				},
				Math.max(0, duty.until - performance.now()),
			);
			await pause(ttlMs / RENEWALS, over.signal);
			try {
				// The timer runs on meanwhile: a store that does not answer ends the duty in time.
				if (!over.signal.aborted) {
					const until = (await claim.attempt(() => performance.now())) ?? Number.NEGATIVE_INFINITY;
					if (!over.signal.aborted) duty.until = until;
				}
				if (performance.now() >= duty.until) over.abort();
			} catch {
				await pause(ttlMs / (RENEWALS * 10), over.signal);
			}
			clearTimeout(end);
		}
	}
}
