import type { TokenKey } from './token-keys.ts';

const MOST_TOKENS = 10_000;
/** About 4 MiB of text: 8,000 tokens of few memberships, 1,000 of fifty. */
const MOST_CHARACTERS = 4_000_000;

interface Verified<T> {
	token: string;
	claims: T;
	key: TokenKey;
}

/**
 * Tokens that were verified, by their full text, so that a token that comes with every request is verified once. Bounded: those longest unused go
 * first. What can change afterwards, that is time, keys and revocations, is for the reader to look at each time.
 */
export class VerifiedTokens<T> {
	/** By signature, which is short and differs; the whole text is then compared. */
	readonly #known = new Map<string, Verified<T>>();
	#characters = 0;

	get(token: string): Verified<T> | undefined {
		const signature = signatureOf(token);
		const known = this.#known.get(signature);
		if (known?.token !== token) return undefined;
		this.#known.delete(signature);
		this.#known.set(signature, known);
		return known;
	}

	add(token: string, claims: T, key: TokenKey): void {
		if (token.length > MOST_CHARACTERS / 10) return;
		this.delete(token);
		this.#known.set(signatureOf(token), { token, claims, key });
		this.#characters += token.length;
		while (this.#known.size > MOST_TOKENS || this.#characters > MOST_CHARACTERS) this.delete(this.#known.values().next().value!.token);
	}

	delete(token: string): void {
		const signature = signatureOf(token);
		const known = this.#known.get(signature);
		if (!known || !this.#known.delete(signature)) return;
		this.#characters -= known.token.length;
	}
}

const signatureOf = (token: string) => token.slice(token.lastIndexOf('.') + 1);
