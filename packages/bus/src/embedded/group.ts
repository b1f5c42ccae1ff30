import type { Cursor, Gap, Log } from '@crowdvision/log';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { pause, Retry } from '@crowdvision/service-kit/retry';
import type { BusEntry, Position } from '../bus.ts';
import { GapMarker } from './gap-marker.ts';
import { GroupLedger } from './group-ledger.ts';
import { isStart, offsetAfter, positionOf } from './positions.ts';

/** An entry in the hands of a member. */
export interface HeldEntry extends BusEntry {
	offset: number;
}

const READ = { maxRecords: 500, maxBytes: 1024 * 1024 };

/** The members of one group on one log, in this process: they share what was read, and one cursor. */
export class EmbeddedGroup {
	readonly #log: Log;
	readonly #cursor: Cursor;
	readonly #logger: PlainLogger;
	/** The gap before the next entry. The cursor stays before the gap until that entry is there to carry it. */
	readonly #missing: GapMarker;
	/** The offset after that gap. */
	#afterGap = 0;
	/** Replaced when the group goes back. */
	#ledger: GroupLedger<HeldEntry>;
	#members = 0;
	/** Aborted when the last member leaves: ends the wait for new entries. */
	#idle = new AbortController();
	#reading: Promise<void> | undefined;
	#returned = Promise.withResolvers<void>();
	readonly #retry: Retry;

	/** A group that is new to the log begins at the oldest entry held. */
	constructor(log: Log, name: string, gatewayId: string, logger: PlainLogger) {
		this.#log = log;
		this.#cursor = log.cursor(`group:${name}`);
		this.#logger = logger;
		this.#missing = new GapMarker(gatewayId, log.id);
		this.#ledger = new GroupLedger(this.#cursor.position);
		this.#cursor.tally.begin(this.#cursor.position, () => this.#ledger.open);
		const details = { cursor: this.#cursor.name };
		this.#retry = new Retry({ what: 'reading the log', firstMs: 50, longestMs: 5000, logger, level: 'error', details });
	}

	/** Goes back as ConsumeOptions.from says. @throws CrowdVisionError `bad_request` if `to` is not a position. */
	goBack(to: Position): void {
		const offset = isStart(to) ? this.#log.startOffset : offsetAfter(to);
		if (this.#ledger.done <= offset) return;
		this.#logger.warn(
			{ cursor: this.#cursor.name, from: this.#ledger.done, to: offset },
			'the group is ahead of its consumer: going back',
		);
		this.#ledger = new GroupLedger(offset);
		this.#missing.clear();
		this.#afterGap = 0;
		this.#cursor.tally.begin(offset, () => this.#ledger.open);
		this.#commit();
		// Ends the wait for what follows the old place.
		this.#idle.abort();
		this.#idle = new AbortController();
	}

	join(): void {
		if (this.#members++ === 0) this.#idle = new AbortController();
	}

	leave(holding: HeldEntry[]): void {
		this.#ledger.giveBack(holding);
		this.#returned.resolve();
		this.#returned = Promise.withResolvers();
		if (--this.#members === 0) this.#idle.abort();
	}

	/** Resolves with at most `max` entries that nobody holds, the oldest first; with none only when `signal` aborts. */
	async take(max: number, signal: AbortSignal): Promise<HeldEntry[]> {
		const aborted = Promise.withResolvers<void>();
		const onAbort = () => aborted.resolve();
		signal.addEventListener('abort', onAbort, { once: true });
		try {
			while (!signal.aborted) {
				const entries = this.#ledger.take(max);
				if (entries.length > 0) return entries;
				this.#reading ??= this.#read().finally(() => {
					this.#reading = undefined;
				});
				await Promise.race([this.#reading, this.#returned.promise, aborted.promise]);
			}
			return [];
		} finally {
			signal.removeEventListener('abort', onAbort);
		}
	}

	acknowledge(entries: readonly HeldEntry[]): void {
		const done = this.#ledger.acknowledge(entries.map(({ offset }) => offset));
		this.#cursor.tally.delivered(done, this.#ledger.done, Date.now());
		this.#commit();
	}

	#logGaps(gaps: readonly Gap[]): void {
		for (const gap of gaps) {
			const details = { cursor: this.#cursor.name, ...gap };
			if (gap.reason === 'thinned') this.#logger.warn(details, 'entries were thinned out before this group took them');
			else this.#logger.error(details, 'entries were lost before this group took them');
		}
	}

	/**
	 * Attaches the gap to the first entry that follows it. After a crash before that entry is acknowledged the gap is
	 * attached again, if the log still knows it.
	 */
	#attachGap([first]: HeldEntry[]): void {
		if (!first || this.#missing.empty) return;
		first.gap = this.#missing.toJson();
		this.#missing.clear();
	}

	#commit(): void {
		if (this.#ledger.done !== this.#cursor.position) this.#cursor.commit(this.#ledger.done);
	}

	/** Reads on, or waits until there may be more to read. Never rejects. */
	async #read(): Promise<void> {
		const signal = this.#idle.signal;
		const ledger = this.#ledger;
		try {
			const from = Math.max(ledger.next, this.#afterGap);
			const { records, next, gaps } = await this.#log.read(from, READ);
			// The group went back meanwhile.
			if (ledger !== this.#ledger) return;
			this.#logGaps(gaps);
			this.#missing.add(gaps);
			const entries: HeldEntry[] = records.map(({ offset, payload }) => ({
				offset,
				position: positionOf(offset),
				data: payload.toString(),
			}));
			this.#attachGap(entries);
			if (entries.length > 0 || this.#missing.empty) ledger.add(entries, next);
			else this.#afterGap = next;
			this.#cursor.tally.read(next, gaps);
			this.#commit();
			this.#retry.succeeded();
			if (next > from) return;
			await this.#log.waitFor(next, signal);
			// A closed log resolves at once.
			if (this.#log.endOffset <= next) await pause(100, signal);
		} catch (error) {
			await this.#retry.failed(error, { signal });
		}
	}
}
