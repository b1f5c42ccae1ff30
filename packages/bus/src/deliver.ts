import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import type { BusEntry } from './bus.ts';

/** An entry about to be handled, and how often it was handed out before without being acknowledged. */
export interface Candidate {
	entry: BusEntry;
	tries: number;
}

/**
 * What a transport does for `deliver`. `acknowledge` and `setAside` are repeated until they succeed or `signal` aborts.
 */
export interface Delivery {
	handle(entries: BusEntry[]): Promise<void>;
	acknowledge(entries: BusEntry[]): Promise<void>;
	setAside(entry: BusEntry, reason: string, attempts: number): Promise<void>;
	/** Told before an entry is tried again by itself, so that the count survives a crash of this process. */
	trying?(entry: BusEntry, attempt: number): Promise<void>;
	maxAttempts: number;
	/** Aborts when the consumer closes: nothing new is tried, what succeeded is still acknowledged. */
	signal: AbortSignal;
	logger: PlainLogger;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
const LONGEST_REASON = 1000;

/**
 * Hands entries to a consumer's handler until each is acknowledged or set aside; what is left when `signal` aborts
 * stays unacknowledged. All at once first; after a failure one by one, so that only what fails by itself is set aside.
 *
 * A handler that rejects with CrowdVisionError `unavailable` blames its surroundings (a store that is away), not the
 * entry: such tries go on without limit, and set nothing aside.
 */
export async function deliver(delivery: Delivery, candidates: readonly Candidate[]): Promise<void> {
	let singles = candidates;
	if (candidates.length > 1 && candidates.every(({ tries }) => tries < 2)) {
		if (await deliverTogether(delivery, candidates)) return;
		// A failure of many says little about one: each gets at least one try of its own.
		singles = candidates.map(({ entry, tries }) => ({ entry, tries: Math.min(tries + 1, delivery.maxAttempts - 1) }));
	}
	for (const candidate of singles) await deliverAlone(delivery, candidate);
}

/** False when the entries failed together and must be tried one by one. */
async function deliverTogether(delivery: Delivery, candidates: readonly Candidate[]): Promise<boolean> {
	const entries = candidates.map(({ entry }) => entry);
	for (let failures = 0; !delivery.signal.aborted; failures++) {
		const failure = await attempt(delivery, entries);
		if (!failure) {
			await persist(delivery, 'acknowledge', () => delivery.acknowledge(entries));
			return true;
		}
		if (failures === 0)
			delivery.logger.warn(
				{ reason: failure.reason, entries: entries.length },
				'a handler failed: its entries are given to it again',
			);
		await pause(backOff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), delivery.signal);
		if (!failure.passing) return false;
	}
	return true;
}

async function deliverAlone(delivery: Delivery, { entry, tries }: Candidate): Promise<void> {
	let attempts = tries;
	let reason = 'those who were given it ended before they acknowledged it';
	for (let failures = 0; !delivery.signal.aborted; failures++) {
		if (attempts >= delivery.maxAttempts) {
			delivery.logger.error(
				{ position: entry.position, reason, attempts },
				'an entry is set aside: it failed too often',
			);
			await persist(delivery, 'set aside', () => delivery.setAside(entry, reason, attempts));
			return;
		}
		// Bookkeeping for a crash only: not worth stopping for.
		if (failures > 0) await delivery.trying?.(entry, attempts + 1).catch(() => undefined);
		const failure = await attempt(delivery, [entry]);
		if (!failure) {
			await persist(delivery, 'acknowledge', () => delivery.acknowledge([entry]));
			return;
		}
		reason = failure.reason;
		if (!failure.passing) attempts++;
		if (attempts < delivery.maxAttempts)
			await pause(backOff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), delivery.signal);
	}
}

/** Undefined when the handler took the entries. `passing`: no fault of theirs. */
async function attempt(
	delivery: Delivery,
	entries: BusEntry[],
): Promise<{ reason: string; passing: boolean } | undefined> {
	try {
		// A copy, since what is acknowledged must not depend on what a handler does to its argument.
		await delivery.handle([...entries]);
		return undefined;
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return {
			reason: reason.slice(0, LONGEST_REASON),
			passing: error instanceof CrowdVisionError && error.code === 'unavailable',
		};
	}
}

/** Repeats `write` until it succeeds, so that a transport that is away for a while costs no redelivery. */
async function persist(delivery: Delivery, what: string, write: () => Promise<void>): Promise<void> {
	for (let failures = 0; ; failures++) {
		try {
			return await write();
		} catch (error) {
			if (delivery.signal.aborted) {
				delivery.logger.warn(
					{ err: error, what },
					'closing: handled entries could not be acknowledged and will be delivered again',
				);
				return;
			}
			if (failures === 0)
				delivery.logger.warn({ err: error, what }, 'the bus is away after entries were handled: trying on');
			await pause(backOff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), delivery.signal);
		}
	}
}
