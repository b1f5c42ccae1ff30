/** The keys that a decoder rule reads: those of its format, and those that it renames. */
import type { VendorMetric, VendorTable } from './vendor-table.ts';

/** What a rule says about a format's keys. */
export interface VocabularyOptions {
	/** By the vendor's key: which metric it is. Comes before the format's own table. */
	rename?: Readonly<Record<string, VendorMetric>> | undefined;
}

/** The keys that one rule reads: the format's tables with the rule's `rename`. */
export class Vocabulary {
	readonly #rename: Readonly<Record<string, VendorMetric>>;
	/** Merged tables by the format's own. */
	readonly #tables = new Map<VendorTable, VendorTable>();

	constructor({ rename = {} }: VocabularyOptions = {}) {
		this.#rename = rename;
	}

	/** The format's table after the rule's own keys. */
	table(builtIn: VendorTable): VendorTable {
		let table = this.#tables.get(builtIn);
		if (!table) {
			const rest = Object.entries(builtIn).filter(([key]) => !Object.hasOwn(this.#rename, key));
			table = { ...this.#rename, ...Object.fromEntries(rest) };
			this.#tables.set(builtIn, table);
		}
		return table;
	}
}

/** The formats' tables as they are. */
export const BUILT_IN = new Vocabulary();
