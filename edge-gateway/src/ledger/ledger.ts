import type { TallySummary, Transport } from '@crowdvision/contracts';
import type { CursorBalance, Log } from '@crowdvision/log';
import { Counter, Gauge, type Registry as Metrics } from '@crowdvision/service-kit';
import { sumOf, Tally } from './tally.ts';

/** What of the log the ledger holds its own counts against. */
export type CountedLog = Pick<Log, 'tallies' | 'appended' | 'stats'>;

/**
 * Ports, bridges and rules are few; a configuration that has more of them than this sees the rest sumOf, as
 * `others`.
 */
const MOST_NAMED = 200;
const OTHERS = 'others';

/**
 * Where everything that came in is accounted for: by way in (transport, and port where it has several), by bridge and
 * direction, by decoder rule, and by cursor on the log. Counts on the hot path are plain numbers; Prometheus reads them
 * when it asks.
 *
 *   sources ─▶ Tally each ─▶ log: Σ accepted = appended ─▶ cursors: appended = delivered + lost + queued
 */
export class Ledger {
	readonly #transports = new Map<Transport, Tally>();
	/** By `transport port`. */
	readonly #ports = new Map<string, { transport: Transport; account: Tally }>();
	/** By `kind name`. */
	readonly #parts = new Map<string, { kind: PartKind; name: string; account: Tally }>();
	/**
	 * Of the readings that the gateway makes itself: counts that are set, and the second of the two that a door between
	 * two rooms changes.
	 */
	readonly rooms = new Tally();
	readonly #log: CountedLog | undefined;

	constructor(log?: CountedLog) {
		this.#log = log;
	}

	/** The account of a way in, in readings: of a transport or, where it has several, of one of its ports. */
	of(transport: Transport, port?: string): Tally {
		if (port !== undefined) return this.#port(transport, port);
		let account = this.#transports.get(transport);
		if (!account) {
			account = new Tally();
			this.#transports.set(transport, account);
		}
		return account;
	}

	/** The account of one direction of a bridge, such as `campus out`, or of one rule of the decoders. In messages. */
	part(kind: PartKind, name: string): Tally {
		const known = this.#parts.get(`${kind} ${name}`);
		if (known) return known.account;
		if (this.#parts.size >= MOST_NAMED && name !== OTHERS) return this.part(kind, OTHERS);
		const account = new Tally();
		this.#parts.set(`${kind} ${name}`, { kind, name, account });
		return account;
	}

	/** Every balance by itself, with what it is of. All must read 0. */
	imbalances(): Imbalance[] {
		const found: Imbalance[] = this.#sources().map(({ name, account }) => ({
			ledger: 'source',
			name,
			imbalance: account.imbalance(),
		}));
		for (const { name, account } of this.#made())
			found.push({ ledger: 'source', name, imbalance: account.imbalance() });
		for (const { kind, name, account } of this.#parts.values())
			found.push({ ledger: kind, name, imbalance: account.imbalance() });
		const log = this.#log;
		if (!log) return found;
		const sum = (read: (account: Tally) => number) =>
			this.#sources().reduce((total, { account }) => total + read(account), read(this.rooms));
		// What sources call accepted is what the log has stored, by its own count.
		found.push({ ledger: 'log', name: 'appended', imbalance: sum(({ accepted }) => accepted) - log.appended });
		// While nothing is on its way to the disk, nothing can wait for it: what does was forgotten.
		found.push({
			ledger: 'log',
			name: 'pending',
			imbalance: log.stats().pendingBytes === 0 ? sum(({ pending }) => pending) : 0,
		});
		for (const [name, account] of log.tallies())
			found.push({ ledger: 'cursor', name, imbalance: account.balance().imbalance });
		return found;
	}

	/** All that is not accounted for, whichever way it is off: 0, or readings went missing inside the gateway. */
	imbalance(): number {
		return this.imbalances().reduce((sum, { imbalance }) => sum + Math.abs(imbalance), 0);
	}

	/** By transport, its ports sumOf. */
	summary(): Record<string, TallySummary> {
		const summaries: Record<string, TallySummary> = {};
		for (const { transport, account } of this.#sources()) {
			const before = summaries[transport];
			summaries[transport] = before ? sumOf(before, account.summary()) : account.summary();
		}
		return summaries;
	}

	/** By way in and part, such as `serial /dev/ttyUSB0` or `bridge campus out`. */
	accounts(): Record<string, TallySummary> {
		const parts = [...this.#parts.values()].map(({ kind, name, account }) => ({ name: `${kind} ${name}`, account }));
		return Object.fromEntries(
			[...this.#sources(), ...this.#made(), ...parts].map(({ name, account }) => [name, account.summary()]),
		);
	}

	/** By cursor on the log. */
	cursors(): Record<string, CursorBalance> {
		return Object.fromEntries([...(this.#log?.tallies() ?? [])].map(([name, account]) => [name, account.balance()]));
	}

	/** Nothing, for a gateway that makes no readings. */
	#made(): { name: string; account: Tally }[] {
		return this.rooms.received > 0 ? [{ name: 'rooms', account: this.rooms }] : [];
	}

	#sources(): { name: string; transport: Transport; account: Tally }[] {
		const transports = [...this.#transports].map(([transport, account]) => ({ name: transport, transport, account }));
		const ports = [...this.#ports].map(([name, { transport, account }]) => ({ name, transport, account }));
		return [...transports, ...ports];
	}

	#port(transport: Transport, port: string): Tally {
		const known = this.#ports.get(`${transport} ${port}`);
		if (known) return known.account;
		if (this.#ports.size >= MOST_NAMED && port !== OTHERS) return this.#port(transport, OTHERS);
		const account = new Tally();
		this.#ports.set(`${transport} ${port}`, { transport, account });
		return account;
	}

	register(metrics: Metrics): void {
		this.#registerSources(metrics);
		this.#registerCursors(metrics);
		const imbalances = () => this.imbalances();
		new Gauge({
			name: 'gateway_ledger_imbalance',
			help: 'Received and not accounted for, by source, port, bridge, rule, log and cursor; each must be 0',
			labelNames: ['ledger', 'name'],
			registers: [metrics],
			collect() {
				this.reset();
				for (const { ledger, name, imbalance } of imbalances()) this.set({ ledger, name }, imbalance);
			},
		});
	}

	#registerSources(metrics: Metrics): void {
		const counter = (
			name: string,
			help: string,
			read: (account: TallySummary) => Iterable<[labels: Record<string, string>, value: number]>,
		) => {
			const summary = () => Object.entries(this.summary());
			new Counter({
				name,
				help,
				labelNames: ['transport', 'reason'],
				registers: [metrics],
				collect() {
					this.reset();
					for (const [transport, account] of summary())
						for (const [labels, value] of read(account)) this.inc({ transport, ...labels }, value);
				},
			});
		};
		const byReason = (reasons: Record<string, number>): [Record<string, string>, number][] =>
			Object.entries(reasons).map(([reason, times]) => [{ reason }, times]);
		counter('gateway_readings_received_total', 'Readings that arrived, good or not', ({ received }) => [
			[{}, received],
		]);
		counter('gateway_readings_accepted_total', 'Readings that are durable in the log', ({ accepted }) => [
			[{}, accepted],
		]);
		counter('gateway_readings_duplicate_total', 'Redeliveries that were recognized', ({ duplicates }) => [
			[{}, duplicates],
		]);
		counter('gateway_readings_deferred_total', 'Readings whose sender was told to come again', ({ deferred }) => [
			[{}, deferred],
		]);
		counter('gateway_device_restarts_total', 'Restarts inferred from a seq that began again', ({ restarts }) => [
			[{}, restarts],
		]);
		counter('gateway_readings_rejected_total', 'Readings that were refused, by reason', ({ rejected }) =>
			byReason(rejected),
		);
		counter('gateway_readings_ignored_total', 'Readings left out on purpose, by reason', ({ ignored }) =>
			byReason(ignored),
		);
		counter('gateway_readings_dropped_total', 'Readings given up before they were stored, by reason', ({ dropped }) =>
			byReason(dropped),
		);
	}

	#registerCursors(metrics: Metrics): void {
		const log = this.#log;
		if (!log) return;
		const gauge = (
			name: string,
			help: string,
			read: (balance: CursorBalance) => Iterable<[labels: Record<string, string>, value: number]>,
		) => {
			new Gauge({
				name,
				help,
				labelNames: ['cursor', 'reason'],
				registers: [metrics],
				collect() {
					this.reset();
					for (const [cursor, account] of log.tallies())
						for (const [labels, value] of read(account.balance())) this.set({ cursor, ...labels }, value);
				},
			});
		};
		gauge('gateway_cursor_appended', 'Readings a consumer of the log was to get since the start', ({ appended }) => [
			[{}, appended],
		]);
		gauge('gateway_cursor_delivered', 'Readings a consumer of the log got since the start', ({ delivered }) => [
			[{}, delivered],
		]);
		gauge('gateway_cursor_queued', 'Readings that wait in the log for a consumer', ({ queued }) => [[{}, queued]]);
		gauge('gateway_cursor_lost', 'Readings lost from the log before a consumer got them, by reason', ({ lost }) =>
			Object.entries(lost).map(([reason, readings]) => [{ reason }, readings]),
		);
	}
}

export type PartKind = 'bridge' | 'decoder';

export interface Imbalance {
	ledger: 'source' | 'log' | 'cursor' | PartKind;
	name: string;
	/** More than 0 went missing, less than 0 were counted twice. */
	imbalance: number;
}
