/** Keeps the newest `capacity` values. A value stays until it is deleted or overwritten by a newer one. */
export class RingBuffer<T> {
	readonly capacity: number;
	readonly #values = new Map<number, T>();
	#next = 0;
	#overwritten = 0;

	/** @throws RangeError unless `capacity` is a whole number from 1 up */
	constructor(capacity: number) {
		if (!Number.isSafeInteger(capacity) || capacity < 1)
			throw new RangeError(`the capacity of a buffer must be a whole number from 1, not ${capacity}`);
		this.capacity = capacity;
	}

	get size(): number {
		return this.#values.size;
	}

	/** How many values were overwritten. */
	get overwritten(): number {
		return this.#overwritten;
	}

	/** Returns the id of the new value, and the oldest value if it was overwritten. */
	push(value: T): { id: number; overwritten?: T } {
		const id = this.#next++;
		this.#values.set(id, value);
		if (this.#values.size <= this.capacity) return { id };
		const [oldest, overwritten] = this.#values.entries().next().value as [number, T];
		this.#values.delete(oldest);
		this.#overwritten++;
		return { id, overwritten };
	}

	/** Undefined if the value was deleted or overwritten. */
	get(id: number): T | undefined {
		return this.#values.get(id);
	}

	/** Returns false if the value was already deleted or overwritten. */
	delete(id: number): boolean {
		return this.#values.delete(id);
	}

	/** Oldest first. */
	entries(): IterableIterator<[number, T]> {
		return this.#values.entries();
	}
}
