import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { pause, Retry } from '@crowdvision/service-kit/retry';
import type { Store } from '../store.ts';
import { LeaseClaim } from './lease-claim.ts';

export interface ElectionOptions {
	/** Id of the lease document in the collection `leases`: one leader per name. */
	name: string;
	/** Names this replica to people who read the document. Default: the host's name. */
	holder?: string;
	/**
	 * How long a leader that vanished keeps the other replicas waiting, in ms. Default 6 s: longer than a read of a
	 * stream blocks, so a replica that was suspended has no read under way when the next leader begins.
	 */
	ttlMs?: number;
	logger?: PlainLogger;
}

/** A candidate for leadership, until it is closed. */
export interface Leadership {
	/** Whether this process may count on being the leader right now. */
	readonly leading: boolean;
	/** Ends the work, waits for it, and gives the lease back. */
	close(): Promise<void>;
}

const TTL_MS = 6000;
/** Renewals of a held lease per time to live. */
const RENEWALS = 3;
/** Looks at a lease that another replica holds, per time to live. */
const LOOKS = 4;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

const NEVER = Number.NEGATIVE_INFINITY;

/**
 * Elects one leader among the replicas that share a store, and runs `onLeading` whenever it is this one. The work must
 * end when its signal aborts: the lease was lost, or the leadership is closed. When the work ends by itself or rejects,
 * the lease is given back and claimed again after a pause.
 *
 * A process that was suspended may work on for a moment after another began, since it cannot know yet. So leadership
 * saves double work but is no fence: the fence is the version of each changed document (see Store.commit).
 */
export function electLeader(
	store: Store,
	{ name, holder = hostname(), ttlMs = TTL_MS, logger = NO_LOGGER }: ElectionOptions,
	onLeading: (signal: AbortSignal) => Promise<void>,
): Leadership {
	const claim = new LeaseClaim(store, { name, token: `${holder} ${randomUUID()}`, ttlMs });
	const candidate = new Candidate({ claim, name, ttlMs, logger, onLeading });
	candidate.start();
	return candidate;
}

interface CandidateParts {
	claim: LeaseClaim;
	name: string;
	ttlMs: number;
	logger: PlainLogger;
	onLeading: (signal: AbortSignal) => Promise<void>;
}

class Candidate implements Leadership {
	readonly #parts: CandidateParts;
	readonly #closing = new AbortController();
	/** The lease is held up to this moment of the monotonic clock. */
	#heldUntil = NEVER;
	#running: Promise<void> | undefined;

	constructor(parts: CandidateParts) {
		this.#parts = parts;
	}

	get leading(): boolean {
		return !this.#closing.signal.aborted && performance.now() < this.#heldUntil;
	}

	start(): void {
		this.#running = this.#run();
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { claim, name, ttlMs, logger } = this.#parts;
		const { signal } = this.#closing;
		const retry = new Retry({
			what: `leading by the lease "${name}"`,
			signal,
			firstMs: FIRST_PAUSE_MS,
			longestMs: Math.min(ttlMs, LONGEST_PAUSE_MS),
			logger,
		});
		while (!signal.aborted) {
			try {
				const until = await claim.attempt(() => performance.now());
				if (until === undefined) {
					retry.succeeded();
					await pause((ttlMs / LOOKS) * (0.75 + Math.random() / 2), signal);
					continue;
				}
				this.#heldUntil = until;
				logger.info({ lease: name }, 'this replica is the leader now');
				const began = performance.now();
				await this.#lead();
				if (performance.now() - began > LONGEST_PAUSE_MS) retry.succeeded();
				if (!signal.aborted) await retry.failed(new Error('the work of the leader ended'));
			} catch (error) {
				if (!signal.aborted) await retry.failed(error);
			}
		}
	}

	/** Works for as long as the lease can be renewed; rejects as the work does. */
	async #lead(): Promise<void> {
		const { claim, name, logger, onLeading } = this.#parts;
		const ended = new AbortController();
		const end = () => ended.abort();
		const closing = this.#closing.signal;
		closing.addEventListener('abort', end, { once: true });
		if (closing.aborted) end();
		const renewing = this.#renew(ended);
		try {
			await onLeading(ended.signal);
		} finally {
			closing.removeEventListener('abort', end);
			ended.abort();
			await renewing;
			const isLost = performance.now() >= this.#heldUntil;
			this.#heldUntil = NEVER;
			if (isLost) logger.warn({ lease: name }, 'leadership is lost: another replica may lead');
			else
				await claim
					.release()
					.catch((error: unknown) =>
						logger.warn({ err: error, lease: name }, 'the lease could not be given back: it expires by itself'),
					);
		}
	}

	/** Renews until `ended` aborts, and aborts it when another replica has the lease or the time has run out. */
	async #renew(ended: AbortController): Promise<void> {
		const { claim, ttlMs } = this.#parts;
		while (!ended.signal.aborted) {
			const expiry = setTimeout(
				() => {
					// A timer may fire a fraction of a millisecond early, and `leading` must be false once the work ends.
					this.#heldUntil = NEVER;
					ended.abort();
				},
				Math.max(0, this.#heldUntil - performance.now()),
			);
			await pause(ttlMs / RENEWALS, ended.signal);
			try {
				// The expiry timer keeps running: a store that does not answer ends the leadership in time.
				if (!ended.signal.aborted) {
					const until = (await claim.attempt(() => performance.now())) ?? NEVER;
					if (!ended.signal.aborted) this.#heldUntil = until;
				}
				if (performance.now() >= this.#heldUntil) ended.abort();
			} catch {
				await pause(ttlMs / (RENEWALS * 10), ended.signal);
			}
			clearTimeout(expiry);
		}
	}
}
