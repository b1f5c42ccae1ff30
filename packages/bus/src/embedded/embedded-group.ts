import type { Cursor, Gap, Log } from '@crowdvision/log';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import type { BusEntry, Position, Subscription } from '../bus.ts';
import type { FullConsumeOptions } from '../consume-options.ts';
import { type Delivery, deliver } from '../deliver.ts';
import { isStart, offsetAfter, positionOf } from './embedded-positions.ts';
import { GapMarker } from './gap-marker.ts';
import { GroupLedger } from './group-ledger.ts';

interface HeldEntry extends BusEntry {
	offset: number;
}

const READ = { maxRecords: 500, maxBytes: 1024 * 1024 };
const LONGEST_PAUSE_MS = 5000;

/** All members of one group of one log, in this process: they share what was read, and one cursor. */
export class EmbeddedGroup {
	readonly #log: Log;
	readonly #cursor: Cursor;
	readonly #logger: PlainLogger;
	/**
	 * What is missing before the next entry, and the offset up to which it is: the cursor stays before it until that
	 * entry is there to tell it with.
	 */
	readonly #missing: GapMarker;
	#passed = 0;
	/** Another one when the group goes back. */
	#ledger: GroupLedger<HeldEntry>;
	#members = 0;
	/** Ends the wait for new entries when the last member leaves. */
	#idle = new AbortController();
	#reading: Promise<void> | undefined;
	#returned = Promise.withResolvers<void>();
	#failures = 0;

	/** A group whose name the log does not know begins at the oldest entry held. */
	constructor(log: Log, name: string, gatewayId: string, logger: PlainLogger) {
		this.#log = log;
		this.#cursor = log.cursor(`group:${name}`);
		this.#logger = logger;
		this.#missing = new GapMarker(gatewayId, log.id);
		this.#ledger = new GroupLedger(this.#cursor.position);
		this.#cursor.account.begin(this.#cursor.position, () => this.#ledger.open);
	}

	/** As ConsumeOptions.from says. @throws CrowdVisionError `bad_request` for what is not a position. */
	goBack(to: Position): void {
		const offset = isStart(to) ? this.#log.startOffset : offsetAfter(to);
		if (this.#ledger.done <= offset) return;
		this.#logger.warn(
			{ cursor: this.#cursor.name, from: this.#ledger.done, to: offset },
			'the group is further on than its consumer: going back',
		);
		this.#ledger = new GroupLedger(offset);
		this.#missing.clear();
		this.#passed = 0;
		this.#cursor.account.begin(offset, () => this.#ledger.open);
		this.#commit();
		// Whoever waits for what follows the old place.
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

	/** The next entries that nobody holds, at most `most`; none only when `signal` aborts. */
	async take(most: number, signal: AbortSignal): Promise<HeldEntry[]> {
		const aborted = Promise.withResolvers<void>();
		const onAbort = () => aborted.resolve();
		signal.addEventListener('abort', onAbort, { once: true });
		try {
			while (!signal.aborted) {
				const entries = this.#ledger.take(most);
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
		this.#cursor.account.delivered(done, this.#ledger.done, Date.now());
		this.#commit();
	}

	#tellLost(gaps: readonly Gap[]): void {
		for (const gap of gaps) {
			const what = { cursor: this.#cursor.name, ...gap };
			if (gap.reason === 'thinned') this.#logger.warn(what, 'entries were left out before this group could take them');
			else this.#logger.error(what, 'entries were lost before this group could take them');
		}
	}

	/**
	 * Tells what is missing with the first entry that follows. A crash before that is acknowledged has it told again,
	 * where the log still knows.
	 */
	#mark([first]: HeldEntry[]): void {
		if (!first || this.#missing.empty) return;
		first.gap = this.#missing.toJson();
		this.#missing.clear();
	}

	#commit(): void {
		if (this.#ledger.done !== this.#cursor.position) this.#cursor.commit(this.#ledger.done);
	}

	/** Reads on, or waits until there may be something to read. Never rejects. */
	async #read(): Promise<void> {
		const signal = this.#idle.signal;
		const ledger = this.#ledger;
		try {
			const from = Math.max(ledger.next, this.#passed);
			const { records, next, gaps } = await this.#log.read(from, READ);
			// The group went back meanwhile.
			if (ledger !== this.#ledger) return;
			this.#tellLost(gaps);
			this.#missing.add(gaps);
			const entries: HeldEntry[] = records.map(({ offset, payload }) => ({
				offset,
				position: positionOf(offset),
				data: payload.toString(),
			}));
			this.#mark(entries);
			if (entries.length > 0 || this.#missing.empty) ledger.add(entries, next);
			else this.#passed = next;
			this.#cursor.account.read(next, gaps);
			this.#commit();
			this.#failures = 0;
			if (next > from) return;
			await this.#log.waitFor(next, signal);
			// A closed log does not wait.
			if (this.#log.endOffset <= next) await pause(100, signal);
		} catch (error) {
			if (this.#failures === 0)
				this.#logger.error({ err: error, cursor: this.#cursor.name }, 'the log could not be read: trying on');
			await pause(backOff(this.#failures++, 50, LONGEST_PAUSE_MS), signal);
		}
	}
}

export interface EmbeddedConsumerParts {
	group: EmbeddedGroup;
	options: FullConsumeOptions;
	handle: (entries: BusEntry[]) => Promise<void>;
	setAside: (entry: BusEntry, reason: string, attempts: number) => Promise<void>;
	logger: PlainLogger;
}

/** One member of a group. What it holds when it closes goes to the others, or waits for the next. */
export class EmbeddedConsumer implements Subscription {
	readonly #parts: EmbeddedConsumerParts;
	readonly #closing = new AbortController();
	#running: Promise<void> | undefined;

	constructor(parts: EmbeddedConsumerParts) {
		this.#parts = parts;
	}

	start(): void {
		this.#running ??= this.#run();
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { group, options, handle, setAside, logger } = this.#parts;
		const signal = this.#closing.signal;
		const held = new Map<string, HeldEntry>();
		const acknowledge = async (entries: readonly BusEntry[]) => {
			group.acknowledge(entries.flatMap(({ position }) => held.get(position) ?? []));
			for (const { position } of entries) held.delete(position);
		};
		const delivery: Delivery = {
			handle,
			acknowledge,
			setAside: async (entry, reason, attempts) => {
				await setAside(entry, reason, attempts);
				await acknowledge([entry]);
			},
			maxAttempts: options.maxAttempts,
			signal,
			logger,
		};
		group.join();
		while (!signal.aborted) {
			const entries = await group.take(options.batch, signal);
			for (const entry of entries) held.set(entry.position, entry);
			const candidates = entries.map(({ offset: _offset, ...entry }) => ({ entry, tries: 0 }));
			if (candidates.length > 0) await deliver(delivery, candidates);
		}
		group.leave([...held.values()]);
	}
}
