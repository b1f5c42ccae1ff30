/**
 * Remembers the last `limit` ids, to drop duplicates. The socket service promises to send nothing twice; this guards
 * the page should it do so all the same.
 */
export class RecentIds {
	readonly #ids = new Set<string>();
	readonly #limit: number;

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** Remembers `id`; true if it was not remembered before. Beyond the limit the oldest id is forgotten. */
	add(id: string): boolean {
		if (this.#ids.has(id)) return false;
		this.#ids.add(id);
		if (this.#ids.size > this.#limit) {
			for (const oldest of this.#ids) {
				this.#ids.delete(oldest);
				break;
			}
		}
		return true;
	}
}
