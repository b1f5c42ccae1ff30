/** The keys that a decoder rule reads: those of its format, and those that it renames. */
import { BUILT_IN_METRICS, type MetricLookup } from '@crowdvision/contracts';
import type { VendorMetric, VendorTable } from './vendor-table.ts';

/** What a rule says about a format's keys. */
export interface VocabularyOptions {
	/** By the vendor's key: which metric it is. Comes before the format's own table. */
	rename?: Readonly<Record<string, VendorMetric>> | undefined;
	/** Default: the built-in metrics. */
	metrics?: MetricLookup;
}

/**
 * The keys that one rule reads: those of its `rename`, the format's own, and configured metrics under their own name,
 * in their unit.
 */
export class Vocabulary {
	readonly metrics: MetricLookup;
	readonly #rename: Readonly<Record<string, VendorMetric>>;
	/** Merged tables by the format's own, and metrics by their name in lower case. */
	readonly #tables = new Map<VendorTable, VendorTable>();
	readonly #names = new Map<string, string>();
	/** The version of the catalog that both are of. */
	#version = -1;

	constructor({ rename = {}, metrics = BUILT_IN_METRICS }: VocabularyOptions = {}) {
		this.#rename = rename;
		this.metrics = metrics;
	}

	/** All keys that are read with this table of a format. */
	table(builtIn: VendorTable): VendorTable {
		this.#refresh();
		let table = this.#tables.get(builtIn);
		if (!table) {
			const custom = this.metrics.customKeys().map((key) => [key, { metric: key }] as const);
			const rest = [...Object.entries(builtIn), ...custom.filter(([key]) => !Object.hasOwn(builtIn, key))];
			const kept = rest.filter(([key]) => !Object.hasOwn(this.#rename, key));
			table = { ...this.#rename, ...Object.fromEntries(kept) };
			this.#tables.set(builtIn, table);
		}
		return table;
	}

	/**
	 * What a name means in a format whose names have levels: as the rule renames the whole name or its last level, else
	 * the metric that its last level is called, without regard to case. The last level alone does not make it a
	 * temperature of the room where `isParts` says that a part of the device is meant (own-temperature.ts). Undefined for
	 * a name that nothing reads.
	 */
	entryNamed(name: string, last: string, isParts: boolean): VendorMetric | undefined {
		this.#refresh();
		if (Object.hasOwn(this.#rename, name)) return this.#rename[name];
		const metric = this.#names.get(last.toLowerCase());
		const entry = Object.hasOwn(this.#rename, last)
			? this.#rename[last]
			: metric === undefined
				? undefined
				: { metric };
		return isParts && entry?.metric === 'temperature' ? undefined : entry;
	}

	#refresh(): void {
		if (this.#version === this.metrics.version) return;
		this.#version = this.metrics.version;
		this.#tables.clear();
		this.#names.clear();
		for (const key of this.metrics.keys().toReversed()) this.#names.set(key.toLowerCase(), key);
	}
}

/** The formats' tables as they are. */
export const BUILT_IN = new Vocabulary();
