/** Keeps the newest `capacity` values; each stays until it is deleted, or until a newer one needs its place. */
export class RingBuffer<T> {
	readonly capacity: number;
	readonly #values = new Map<number, T>();
	#next = 0;
	#overwritten = 0;

	/** @throws RangeError unless `capacity` is a whole number from 1 up */
	constructor(capacity: number) {
		if (!Number.isSafeInteger(capacity) || capacity < 1)
			throw new RangeError(`a buffer holds 1 value or more, not ${capacity}`);
		this.capacity = capacity;
	}

	get size(): number {
		return this.#values.size;
	}

	/** How many were lost to newer ones. */
	get overwritten(): number {
		return this.#overwritten;
	}

	/** Returns the value's number, and the oldest value where it had to give way. */
	push(value: T): { id: number; overwritten?: T } {
		const id = this.#next++;
		this.#values.set(id, value);
		if (this.#values.size <= this.capacity) return { id };
		const [oldest, overwritten] = this.#values.entries().next().value as [number, T];
		this.#values.delete(oldest);
		this.#overwritten++;
		return { id, overwritten };
	}

	/** Undefined when it was deleted or overwritten. */
	get(id: number): T | undefined {
		return this.#values.get(id);
	}

	/** Returns false when it was not there any more. */
	delete(id: number): boolean {
		return this.#values.delete(id);
	}

	/** Oldest first. */
	entries(): IterableIterator<[number, T]> {
		return this.#values.entries();
	}
}
