/** A topic that is recognized by its bytes. */
interface Entry<T> {
	bytes: Buffer;
	known: T;
	/** The entry that was found after this one the last time. */
	next: Entry<T> | undefined;
}

/** More topics of one connection are forgotten, all at once: devices use few. */
const MAX_TOPICS = 128;
/** Longer topics stay unknown. */
const MAX_TOPIC_BYTES = 1024;

/** What is known of the topics of one connection, found by the bytes of a topic without making a string of them. */
export class KnownTopics<T> {
	readonly #byTopic = new Map<string, Entry<T>>();
	/** By `hash`; of two topics with the same hash, only one is found by its bytes. */
	readonly #byHash = new Map<number, Entry<T>>();
	readonly #onForgotten: (known: T) => void;
	#last: Entry<T> | undefined;

	/** @param onForgotten called with each that is known no longer */
	constructor(onForgotten: (known: T) => void = () => undefined) {
		this.#onForgotten = onForgotten;
	}

	get(topic: string): T | undefined {
		return this.#byTopic.get(topic)?.known;
	}

	set(topic: string, known: T): void {
		const bytes = Buffer.alloc(Buffer.byteLength(topic), topic);
		if (bytes.length > MAX_TOPIC_BYTES) return;
		if (this.#byTopic.size >= MAX_TOPICS) this.clear();
		const entry = { bytes, known, next: undefined };
		this.#byTopic.set(topic, entry);
		this.#byHash.set(hash(bytes, 0, bytes.length), entry);
	}

	/** Finds the topic in `bytes` from `start` to `end`. A device tends to repeat the order of its topics. */
	find(bytes: Buffer, start: number, end: number): T | undefined {
		const last = this.#last;
		const expected = last?.next ?? last;
		if (expected && isSame(expected.bytes, bytes, start, end)) {
			this.#last = expected;
			return expected.known;
		}
		const entry = this.#byHash.get(hash(bytes, start, end));
		if (!entry || !isSame(entry.bytes, bytes, start, end)) return undefined;
		if (last) last.next = entry;
		this.#last = entry;
		return entry.known;
	}

	clear(): void {
		for (const { known } of this.#byTopic.values()) this.#onForgotten(known);
		this.#byTopic.clear();
		this.#byHash.clear();
		this.#last = undefined;
	}
}

/** FNV-1a, 32 bits. */
function hash(bytes: Buffer, start: number, end: number): number {
	let mixed = 0x811c9dc5;
	for (let at = start; at < end; at++) mixed = Math.imul(mixed ^ bytes[at]!, 0x01000193);
	return mixed;
}

function isSame(topic: Buffer, bytes: Buffer, start: number, end: number): boolean {
	const { length } = topic;
	if (end - start !== length) return false;
	for (let at = 0; at < length; at++) if (topic[at] !== bytes[start + at]) return false;
	return true;
}
