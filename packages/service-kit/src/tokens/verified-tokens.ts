import type { TokenKey } from './token-keys.ts';

const MOST_TOKENS = 10_000;
/** About 4 MiB of text: 8,000 tokens of few memberships, 1,000 of fifty. */
const MOST_CHARACTERS = 4_000_000;

interface Verified<T> {
	token: string;
	claims: T;
	key: TokenKey;
	/** Since its turn to go was last looked at. */
	used: boolean;
}

/**
 * Tokens that were verified, by their full text, so that a token that comes with every request is verified once.
 * Bounded: the oldest go first, but one that was used meanwhile gets a second chance. What can change afterwards, that
 * is time, keys and revocations, is for the reader to look at each time.
 */
export class VerifiedTokens<T> {
	/**
	 * By a few bits of the signature, which a table finds without reading thousands of characters; the whole text is then
	 * compared, once.
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
		if (token.length > MOST_CHARACTERS / 10) return;
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
			if (this.#known.size < MOST_TOKENS && this.#characters + characters <= MOST_CHARACTERS) return;
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

	/** At the end of the row, where its turn comes again. */
	#keepLonger(tag: number, known: Verified<T>): void {
		known.used = false;
		this.#known.set(tag, known);
		this.#characters += known.token.length;
	}
}

/**
 * 30 bits of the signature, as good as random. Two tokens that have the same take each other's place: that costs a
 * verification, and nothing else.
 */
function tagOf(token: string): number {
	const signature = token.lastIndexOf('.') + 1;
	let tag = 0;
	for (let n = 0; n < 5; n++) tag = (tag << 6) ^ token.charCodeAt(signature + n);
	return tag & 0x3fff_ffff;
}
