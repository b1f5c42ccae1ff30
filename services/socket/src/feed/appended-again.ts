/** Logs whose place is known at once: each gateway has one. */
const MOST_LOGS = 10_000;

/**
 * Knows readings that were there before. A Redis that lost the end of its stream, or all of it, is given that again by
 * the gateways, under new positions but with the same ids; an id is `{log}-{offset}` and offsets rise within a log, so
 * one number per gateway tells. An id of another form is taken as new.
 */
export class AppendedAgain {
	readonly #highest = new Map<string, number>();

	/** Whether this reading, or a later one of its log, was taken before; notes it otherwise. */
	has(id: string): boolean {
		const dash = id.lastIndexOf('-');
		const offset = Number(id.slice(dash + 1));
		if (dash < 0 || !Number.isSafeInteger(offset)) return false;
		const log = id.slice(0, dash);
		const highest = this.#highest.get(log);
		if (highest !== undefined && offset <= highest) return true;
		if (highest === undefined && this.#highest.size >= MOST_LOGS)
			this.#highest.delete(this.#highest.keys().next().value!);
		this.#highest.set(log, offset);
		return false;
	}
}
