/**
 * Remembers the last `limit` ids; `add` says whether an id is new. A guard behind the service's own promise to send
 * nothing twice.
 */
export class Seen {
	readonly #ids = new Set<string>();
	readonly #limit: number;

	constructor(limit: number) {
		this.#limit = limit;
	}

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
