/** Gateway logs whose highest offset is remembered; each gateway has one log. */
const MAX_LOGS = 10_000;

/**
 * Recognizes readings that are appended to the stream again. When Redis loses the end of its stream, or all of it, the
 * gateways append those readings again, at new positions but with the same ids. An id is `{log}-{offset}` and offsets
 * rise within a log, so one number per log is enough. An id of another form counts as new.
 */
export class Redeliveries {
	readonly #highest = new Map<string, number>();

	/** Whether this reading, or a later one of its log, was seen before; otherwise remembers it. */
	has(id: string): boolean {
		const dash = id.lastIndexOf('-');
		const offset = Number(id.slice(dash + 1));
		if (dash < 0 || !Number.isSafeInteger(offset)) return false;
		const log = id.slice(0, dash);
		const highest = this.#highest.get(log);
		if (highest !== undefined && offset <= highest) return true;
		if (highest === undefined && this.#highest.size >= MAX_LOGS)
			this.#highest.delete(this.#highest.keys().next().value!);
		this.#highest.set(log, offset);
		return false;
	}
}
