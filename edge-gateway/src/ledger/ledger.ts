/** Accounts for everything that came in, and reports every balance that is off. */
import type { TallySummary, Transport } from '@crowdvision/contracts';
import type { CursorBalance, Log } from '@crowdvision/log';
import { Regressions } from './regressions.ts';
import { sumOf, Tally } from './tally.ts';

/** The part of the log that the ledger checks its own counts against. */
export type CountedLog = Pick<Log, 'tallies' | 'appended' | 'stats'>;

export type PartKind = 'bridge' | 'decoder';

/** How far one balance is off. */
export interface Imbalance {
	ledger: 'source' | 'log' | 'cursor' | PartKind;
	name: string;
	/** Positive: some are missing. Negative: some are counted twice. */
	imbalance: number;
}

/** Most ports, and most bridges and decoder rules, that are counted by name; further ones share the tally `others`. */
const MAX_NAMED = 200;
const OTHERS = 'others';

/** A tally and its name in metrics and reports. */
interface Named {
	name: string;
	tally: Tally;
}

/**
 * Accounts for everything that came in: by source (transport, and port where it has several), by bridge and direction,
 * by decoder rule, and by cursor on the log. On the hot path, counts are plain numbers; metrics are computed when
 * Prometheus asks (ledger-metrics.ts).
 *
 *   sources ─▶ a tally each ─▶ log: Σ accepted = appended ─▶ cursors: appended = delivered + lost + queued
 */
export class Ledger {
	readonly #transports = new Map<Transport, Tally>();
	/** By `transport port`. */
	readonly #ports = new Map<string, { transport: Transport; tally: Tally }>();
	/** By `kind name`. */
	readonly #parts = new Map<string, { kind: PartKind; name: string; tally: Tally }>();
	/**
	 * Records that the gateway adds itself: corrections and zeroings of room counts, and the second of the two records of
	 * a door between two rooms.
	 */
	readonly rooms = new Tally();
	/** What is refused although its like was taken before. */
	readonly regressions = new Regressions();
	readonly #log: CountedLog | undefined;

	constructor(log?: CountedLog) {
		this.#log = log;
	}

	/** The tally of a transport or, where it has several, of one of its ports. Counts readings. */
	of(transport: Transport, port?: string): Tally {
		if (port !== undefined) return this.#port(transport, port);
		let tally = this.#transports.get(transport);
		if (!tally) {
			tally = new Tally();
			this.#transports.set(transport, tally);
		}
		return tally;
	}

	/** The tally of one direction of a bridge, such as `campus out`, or of a decoder rule. Counts messages. */
	part(kind: PartKind, name: string): Tally {
		const known = this.#parts.get(`${kind} ${name}`);
		if (known) return known.tally;
		if (this.#parts.size >= MAX_NAMED && name !== OTHERS) return this.part(kind, OTHERS);
		const tally = new Tally();
		this.#parts.set(`${kind} ${name}`, { kind, name, tally });
		return tally;
	}

	/** Every balance by itself. Each must be 0. */
	imbalances(): Imbalance[] {
		const found: Imbalance[] = [...this.#sources(), ...this.#rooms()].map(({ name, tally }) => ({
			ledger: 'source',
			name,
			imbalance: tally.imbalance(),
		}));
		for (const { kind, name, tally } of this.#parts.values())
			found.push({ ledger: kind, name, imbalance: tally.imbalance() });
		const log = this.#log;
		if (!log) return found;
		const sum = (read: (tally: Tally) => number) =>
			this.#sources().reduce((total, { tally }) => total + read(tally), read(this.rooms));
		// What sources count as accepted is what the log counts as appended.
		found.push({ ledger: 'log', name: 'appended', imbalance: sum(({ accepted }) => accepted) - log.appended });
		// While nothing is on its way to the disk, nothing can be pending: a reading that is was forgotten.
		found.push({
			ledger: 'log',
			name: 'pending',
			imbalance: log.stats().pendingBytes === 0 ? sum(({ pending }) => pending) : 0,
		});
		for (const [name, tally] of log.tallies())
			found.push({ ledger: 'cursor', name, imbalance: tally.balance().imbalance });
		return found;
	}

	/** The sum of all imbalances, without their signs. Other than 0, readings went missing inside the gateway. */
	imbalance(): number {
		return this.imbalances().reduce((sum, { imbalance }) => sum + Math.abs(imbalance), 0);
	}

	/** By transport, each as the sum of its ports. */
	summary(): Record<string, TallySummary> {
		const summaries: Record<string, TallySummary> = {};
		for (const { transport, tally } of this.#sources()) {
			const before = summaries[transport];
			summaries[transport] = before ? sumOf(before, tally.summary()) : tally.summary();
		}
		return summaries;
	}

	/** By source, bridge direction and decoder rule, such as `serial /dev/ttyUSB0` or `bridge campus out`. */
	tallies(): Record<string, TallySummary> {
		const parts = [...this.#parts.values()].map(({ kind, name, tally }) => ({ name: `${kind} ${name}`, tally }));
		return Object.fromEntries(
			[...this.#sources(), ...this.#rooms(), ...parts].map(({ name, tally }) => [name, tally.summary()]),
		);
	}

	/** By cursor on the log. */
	cursors(): Record<string, CursorBalance> {
		return Object.fromEntries([...(this.#log?.tallies() ?? [])].map(([name, tally]) => [name, tally.balance()]));
	}

	/** Empty for a gateway that counts no rooms. */
	#rooms(): Named[] {
		return this.rooms.received > 0 ? [{ name: 'rooms', tally: this.rooms }] : [];
	}

	#sources(): (Named & { transport: Transport })[] {
		const transports = [...this.#transports].map(([transport, tally]) => ({ name: transport, transport, tally }));
		const ports = [...this.#ports].map(([name, { transport, tally }]) => ({ name, transport, tally }));
		return [...transports, ...ports];
	}

	#port(transport: Transport, port: string): Tally {
		const known = this.#ports.get(`${transport} ${port}`);
		if (known) return known.tally;
		if (this.#ports.size >= MAX_NAMED && port !== OTHERS) return this.#port(transport, OTHERS);
		const tally = new Tally();
		this.#ports.set(`${transport} ${port}`, { transport, tally });
		return tally;
	}
}
