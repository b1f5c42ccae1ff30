import type { TokenKey } from './keys.ts';

const MAX_TOKENS = 10_000;
/** About 4 MiB of text: 8,000 tokens with few memberships, or 1,000 with fifty. */
const MAX_CHARACTERS = 4_000_000;

interface Verified<T> {
	token: string;
	claims: T;
	key: TokenKey;
	/** Whether it was used since it was last considered for eviction. */
	used: boolean;
}

/**
 * Cache of verified tokens by their full text, so that a token sent with every request is verified once. Bounded:
 * evicts the oldest, but gives one that was used meanwhile a second chance. Its user must check time, keys and
 * revocations each time, as these can change.
 */
export class VerifiedTokens<T> {
	/**
	 * Keyed by some bits of the signature, so that a lookup does not hash thousands of characters; the full text is
	 * compared afterwards.
	 */
	readonly #known = new Map<number, Verified<T>>();
	#characters = 0;

	get(token: string): Verified<T> | undefined {
		const known = this.#known.get(tagOf(token));
		if (known?.token !== token) return undefined;
		known.used = true;
		return known;
	}

	add(token: string, claims: T, key: TokenKey): void {
		if (token.length > MAX_CHARACTERS / 10) return;
		const tag = tagOf(token);
		this.#forget(tag);
		this.#makeRoomFor(token.length);
		this.#known.set(tag, { token, claims, key, used: false });
		this.#characters += token.length;
	}

	delete(token: string): void {
		const tag = tagOf(token);
		if (this.#known.get(tag)?.token === token) this.#forget(tag);
	}

	#makeRoomFor(characters: number): void {
		for (const [tag, known] of this.#known) {
			if (this.#known.size < MAX_TOKENS && this.#characters + characters <= MAX_CHARACTERS) return;
			this.#forget(tag);
			if (known.used) this.#keepLonger(tag, known);
		}
	}

	#forget(tag: number): void {
		const known = this.#known.get(tag);
		if (!known) return;
		this.#known.delete(tag);
		this.#characters -= known.token.length;
	}

	/** Moves an entry to the end of the eviction order. */
	#keepLonger(tag: number, known: Verified<T>): void {
		known.used = false;
		this.#known.set(tag, known);
		this.#characters += known.token.length;
	}
}

/**
 * 30 bits of the signature, practically random. Two tokens with the same tag evict each other, which costs a
 * verification.
 */
function tagOf(token: string): number {
	const signature = token.lastIndexOf('.') + 1;
	let tag = 0;
	for (let n = 0; n < 5; n++) tag = (tag << 6) ^ token.charCodeAt(signature + n);
	return tag & 0x3fff_ffff;
}
