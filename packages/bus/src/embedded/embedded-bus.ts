import { CrowdVisionError, type StreamName, type TableName } from '@crowdvision/contracts';
import { type AppendRecord, type Log, LogFullError, LogWriteError } from '@crowdvision/log';
import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Bus, BusEntry, ConsumeOptions, DeadLetter, Position, Subscription, TailGap } from '../bus.ts';
import { withDefaults } from '../consume-options.ts';
import { Listeners } from '../listeners.ts';
import { Subscriptions } from '../subscriptions.ts';
import { EmbeddedConsumer } from './consumer.ts';
import { EmbeddedDeadLetters } from './dead-letters.ts';
import { EmbeddedGroup } from './group.ts';
import { offsetAfter, positionOf } from './positions.ts';
import { EmbeddedTail } from './tail.ts';

/** How the bus within one process is opened, on logs on this disk. */
export interface EmbeddedBusOptions {
	/** The gateway whose readings the stream `telemetry` holds; part of each gap. Default: the log's id. */
	gatewayId?: string;
	/** One log per stream. The caller opens them, and closes them after the bus. */
	logs: Record<StreamName, Log>;
	/** Holds dead letters; should drop its oldest when full. Without it the last 1000 are kept in memory. */
	deadLog?: Log;
	logger?: PlainLogger;
}

/**
 * The bus within one process, on the gateway's durable log: a stream is a log, a group is a cursor on it. Positions are
 * log offsets plus one (positions.ts). Live messages and retained values are in memory only: after a restart their
 * owners retain them again.
 *
 * A member cannot die alone here, so `claimAfterMs` has no meaning; entries held by a member that closes go to the
 * other members at once. Group cursors are written lazily: after kill -9 the entries acknowledged in the last second
 * are delivered again, or in the last five seconds where few come.
 */
export class EmbeddedBus implements Bus {
	readonly #gatewayId: string | undefined;
	readonly #logs: Record<StreamName, Log>;
	readonly #logger: PlainLogger;
	readonly #deadLetters: EmbeddedDeadLetters;
	readonly #groups = new Map<string, EmbeddedGroup>();
	readonly #subscriptions = new Subscriptions();
	readonly #channels: Listeners<[message: string]>;
	readonly #watchers: Listeners<[key: string, value: string | null]>;
	readonly #tables = new Map<TableName, Map<string, string>>();

	constructor({ gatewayId, logs, deadLog, logger = NO_LOGGER }: EmbeddedBusOptions) {
		this.#gatewayId = gatewayId;
		this.#logs = logs;
		this.#logger = logger;
		this.#deadLetters = new EmbeddedDeadLetters(deadLog);
		this.#channels = new Listeners(logger);
		this.#watchers = new Listeners(logger);
	}

	async append(stream: StreamName, entries: readonly string[]): Promise<Position[]> {
		if (entries.length === 0) return [];
		const first = await this.#append(
			stream,
			entries.map((payload) => ({ payload })),
		);
		return entries.map((_entry, index) => positionOf(first + index));
	}

	async appendOnce(stream: StreamName, key: string, entry: string): Promise<boolean> {
		this.#assertOpen();
		const once = { source: key, boot: '', seq: 0, hash: 0 };
		if (this.#logs[stream].lookUp(once) === 'duplicate') {
			// The first one may still be on its way to the disk, and fail: wait until it is durable.
			await this.#append(stream, []);
			return false;
		}
		await this.#append(stream, [{ payload: entry, key: once }]);
		return true;
	}

	/** Appends as one batch. Resolves with the first offset once everything appended so far is durable. */
	async #append(stream: StreamName, records: AppendRecord[]): Promise<number> {
		this.#assertOpen();
		try {
			const log = this.#logs[stream];
			const { first, dropped } = await log.append(records);
			if (records.length === 0) await log.durable();
			if (dropped) throw new LogFullError('the log is full');
			return first;
		} catch (error) {
			if (!(error instanceof LogFullError || error instanceof LogWriteError)) throw error;
			throw Object.assign(new CrowdVisionError('unavailable', `the stream ${stream}: ${error.message}`, {}, 1), {
				cause: error,
			});
		}
	}

	async consume(
		stream: StreamName,
		group: string,
		options: ConsumeOptions,
		handle: (entries: BusEntry[]) => Promise<void>,
	): Promise<Subscription> {
		this.#assertOpen();
		const members = this.#group(stream, group);
		if (options.from !== undefined) members.goBack(options.from);
		const consumer = new EmbeddedConsumer({
			group: members,
			options: withDefaults(options),
			handle,
			setAside: (entry, reason, attempts) =>
				this.#deadLetters.add(stream, { ...entry, group, reason, attempts, at: Date.now() }),
			logger: this.#logger,
		});
		consumer.start();
		return this.#subscriptions.add(consumer);
	}

	async tail(
		stream: StreamName,
		from: Position | 'end',
		handle: (entries: BusEntry[]) => void | Promise<void>,
		onGap?: (gap: TailGap) => void,
	): Promise<Subscription> {
		this.#assertOpen();
		const tail = new EmbeddedTail(this.#logs[stream], handle, onGap, this.#logger);
		tail.start(from);
		return this.#subscriptions.add(tail);
	}

	async position(stream: StreamName): Promise<Position> {
		return String(this.#logs[stream].endOffset);
	}

	compare(a: Position, b: Position): number {
		return offsetAfter(a) - offsetAfter(b);
	}

	deadLetters(stream: StreamName, limit = 100): Promise<DeadLetter[]> {
		return this.#deadLetters.list(stream, limit);
	}

	async announce(channel: string, message: string): Promise<void> {
		this.#assertOpen();
		// Not within this call: a message that a listener sends in answer must not overtake the one it answers.
		queueMicrotask(() => this.#channels.notify(channel, message));
	}

	async listen(channel: string, handle: (message: string) => void): Promise<Subscription> {
		this.#assertOpen();
		const remove = this.#channels.add(channel, handle);
		return this.#subscriptions.add({ close: async () => remove() });
	}

	async retain(table: TableName, key: string, value: string | null): Promise<void> {
		this.#assertOpen();
		if (value === null) this.#table(table).delete(key);
		else this.#table(table).set(key, value);
		queueMicrotask(() => this.#watchers.notify(table, key, value));
	}

	async watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<Subscription> {
		this.#assertOpen();
		const remove = this.#watchers.add(table, handle);
		for (const [key, value] of [...this.#table(table)]) {
			try {
				handle(key, value);
			} catch (error) {
				this.#logger.error({ err: error, table, key }, 'a watcher threw an error');
			}
		}
		return this.#subscriptions.add({ close: async () => remove() });
	}

	async trouble(): Promise<string | undefined> {
		if (this.#subscriptions.closed) return 'the bus was closed';
		for (const [stream, log] of Object.entries(this.#logs)) {
			const { trouble } = log.stats();
			if (trouble) return `the log of ${stream} cannot be written: ${trouble}`;
		}
		return undefined;
	}

	close(): Promise<void> {
		return this.#subscriptions.close();
	}

	#group(stream: StreamName, name: string): EmbeddedGroup {
		const key = `${stream}/${name}`;
		const group =
			this.#groups.get(key) ??
			new EmbeddedGroup(this.#logs[stream], name, this.#gatewayId ?? this.#logs[stream].id, this.#logger);
		this.#groups.set(key, group);
		return group;
	}

	#table(name: TableName): Map<string, string> {
		const table = this.#tables.get(name) ?? new Map<string, string>();
		this.#tables.set(name, table);
		return table;
	}

	#assertOpen(): void {
		if (this.#subscriptions.closed) throw new CrowdVisionError('unavailable', 'the bus was closed');
	}
}
