import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepTrying, Retry } from '@crowdvision/service-kit/retry';
import type { BusEntry } from './bus.ts';

/** An entry to be handled, with the number of earlier deliveries that were not acknowledged. */
export interface Candidate {
	entry: BusEntry;
	tries: number;
}

/**
 * What a transport provides to `deliver`. `acknowledge` and `setAside` are retried until they succeed or `signal`
 * aborts.
 */
export interface Delivery {
	handle(entries: BusEntry[]): Promise<void>;
	acknowledge(entries: BusEntry[]): Promise<void>;
	setAside(entry: BusEntry, reason: string, attempts: number): Promise<void>;
	/** Called before an entry is retried on its own, so that the count survives a crash of this process. */
	trying?(entry: BusEntry, attempt: number): Promise<void>;
	maxAttempts: number;
	/** Aborts when the consumer closes: nothing new is tried, but what was handled is still acknowledged. */
	signal: AbortSignal;
	logger: PlainLogger;
}

const BACK_OFF = { firstMs: 100, longestMs: 10_000 };
const MAX_REASON_LENGTH = 1000;

/**
 * Gives entries to a consumer's handler until each is acknowledged or set aside; what is left when `signal` aborts
 * stays unacknowledged. The batch is tried as a whole first and entry by entry after a failure, so that only an entry
 * that fails on its own is set aside.
 *
 * A handler that rejects with CrowdVisionError `unavailable` blames its environment (such as a store that is down), not
 * the entry: such tries do not count, and go on without limit.
 */
export async function deliver(delivery: Delivery, candidates: readonly Candidate[]): Promise<void> {
	let singles = candidates;
	if (candidates.length > 1 && candidates.every(({ tries }) => tries < 2)) {
		if (await deliverTogether(delivery, candidates)) return;
		// The failure of a batch says little about one entry of it: each gets at least one try of its own.
		singles = candidates.map(({ entry, tries }) => ({ entry, tries: Math.min(tries + 1, delivery.maxAttempts - 1) }));
	}
	for (const candidate of singles) await deliverAlone(delivery, candidate);
}

/** Resolves with false when the entries failed together and must be tried one by one. */
async function deliverTogether(delivery: Delivery, candidates: readonly Candidate[]): Promise<boolean> {
	const entries = candidates.map(({ entry }) => entry);
	const retry = retryOf(delivery, { entries: entries.length });
	while (!delivery.signal.aborted) {
		const failure = await attempt(delivery, entries);
		if (!failure) {
			retry.succeeded();
			await persist(delivery, 'acknowledging', () => delivery.acknowledge(entries));
			return true;
		}
		await retry.failed(failure.error);
		if (!failure.blamesEnvironment) return false;
	}
	return true;
}

async function deliverAlone(delivery: Delivery, { entry, tries }: Candidate): Promise<void> {
	const { maxAttempts, signal, logger } = delivery;
	const retry = retryOf(delivery, { position: entry.position });
	let attempts = tries;
	let reason = 'the consumers that held it ended before they acknowledged it';
	while (!signal.aborted) {
		if (attempts >= maxAttempts) {
			logger.error({ position: entry.position, reason, attempts }, 'an entry is set aside: it failed too often');
			await persist(delivery, 'setting aside', () => delivery.setAside(entry, reason, attempts));
			return;
		}
		// A failure here only loses the count in a crash, and does not stop the delivery.
		if (retry.failures > 0) await delivery.trying?.(entry, attempts + 1).catch(() => undefined);
		const failure = await attempt(delivery, [entry]);
		if (!failure) {
			retry.succeeded();
			await persist(delivery, 'acknowledging', () => delivery.acknowledge([entry]));
			return;
		}
		reason = failure.reason;
		if (!failure.blamesEnvironment) attempts++;
		if (attempts < maxAttempts) await retry.failed(failure.error);
	}
}

const retryOf = ({ signal, logger }: Delivery, details: object) =>
	new Retry({ what: 'handling entries', ...BACK_OFF, signal, logger, details });

interface Failure {
	error: unknown;
	reason: string;
	/** The entries are not to blame. */
	blamesEnvironment: boolean;
}

/** Resolves with undefined when the handler took the entries. */
async function attempt(delivery: Delivery, entries: BusEntry[]): Promise<Failure | undefined> {
	try {
		// A copy, so that what is acknowledged does not depend on what a handler does to its argument.
		await delivery.handle([...entries]);
		return undefined;
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return {
			error,
			reason: reason.slice(0, MAX_REASON_LENGTH),
			blamesEnvironment: error instanceof CrowdVisionError && error.code === 'unavailable',
		};
	}
}

/** Repeats `write` until it succeeds, so that a short outage of the transport causes no redelivery. */
async function persist({ signal, logger }: Delivery, what: string, write: () => Promise<void>): Promise<void> {
	try {
		await keepTrying(write, { what: `${what} handled entries`, ...BACK_OFF, signal, logger });
	} catch {
		// The consumer closes: one last try.
		await write().catch((error: unknown) =>
			logger.warn(
				{ err: error, what },
				'handled entries could not be acknowledged before closing: they will be delivered again',
			),
		);
	}
}
