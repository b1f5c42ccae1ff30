import { describe, expect, it } from 'vitest';
import type { TokenKey } from './keys.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const KEY: TokenKey = {
	alg: 'HS256',
	key: await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['verify']),
};
const LONG = 'x'.repeat(300_000);
/** How many long tokens fit into 4,000,000 characters. */
const FIT = 13;
const longToken = (n: number) => `e30.${LONG}.${String(n).padStart(5, 'A')}`;

describe('VerifiedTokens', () => {
	it('finds a token by its whole text: a difference in one character is another token', () => {
		const verified = new VerifiedTokens<string>();
		const token = 'e30.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl';
		verified.add(token, 'claims', KEY);
		expect(verified.get(token)).toMatchObject({ claims: 'claims', key: KEY });
		const others = Array.from(
			token,
			(character, at) => `${token.slice(0, at)}${character === 'Z' ? 'Y' : 'Z'}${token.slice(at + 1)}`,
		);
		for (const other of ['', '.', ...others, token.slice(0, -1), `${token}A`]) {
			expect(verified.get(other), other).toBeUndefined();
			verified.delete(other);
		}
		expect(verified.get(token)).toBeDefined();
		verified.delete(token);
		expect(verified.get(token)).toBeUndefined();
	});

	it('keeps only the latest of two tokens whose signatures begin alike', () => {
		const verified = new VerifiedTokens<number>();
		const [one, other] = ['a.b.sameAAAA', 'c.d.sameABBB'];
		verified.add(one, 1, KEY);
		verified.add(other, 2, KEY);
		expect([verified.get(one)?.claims, verified.get(other)?.claims]).toEqual([undefined, 2]);
	});

	it('is bounded by the length of the tokens and evicts the oldest, but not one that is in use', () => {
		const verified = new VerifiedTokens<number>();
		for (let n = 0; n < 5 * FIT; n++) {
			verified.add(longToken(n), n, KEY);
			expect(verified.get(longToken(0))?.claims).toBe(0);
		}
		const known = Array.from({ length: 5 * FIT }, (_, n) => n).filter((n) => verified.get(longToken(n)));
		expect(known).toEqual([0, ...Array.from({ length: FIT - 1 }, (_, n) => 4 * FIT + 1 + n)]);
	});

	it('makes room for another token even if all are in use', () => {
		const verified = new VerifiedTokens<number>();
		for (let n = 0; n < FIT; n++) verified.add(longToken(n), n, KEY);
		for (let n = 0; n < FIT; n++) verified.get(longToken(n));
		verified.add(longToken(FIT), FIT, KEY);
		expect(Array.from({ length: FIT + 1 }, (_, n) => n).filter((n) => !verified.get(longToken(n)))).toEqual([0]);
	});

	it('counts a token once however often it is added, and does not store an absurdly long one', () => {
		const verified = new VerifiedTokens<number>();
		verified.add(longToken(0), 0, KEY);
		for (let n = 0; n < 3 * FIT; n++) verified.add(longToken(1), n, KEY);
		expect([verified.get(longToken(0))?.claims, verified.get(longToken(1))?.claims]).toEqual([0, 3 * FIT - 1]);
		const absurd = `e30.${LONG}${LONG}.BBBBB`;
		verified.add(absurd, 2, KEY);
		expect(verified.get(absurd)).toBeUndefined();
		expect(verified.get(longToken(0))).toBeDefined();
	});

	it('holds at most 10,000 tokens', () => {
		const verified = new VerifiedTokens<number>();
		const short = (n: number) => `.${String(n).padStart(5, '0')}`;
		for (let n = 0; n < 10_500; n++) verified.add(short(n), n, KEY);
		expect(Array.from({ length: 10_500 }, (_, n) => n).filter((n) => verified.get(short(n)))).toHaveLength(10_000);
		expect([verified.get(short(499)), verified.get(short(500))?.claims]).toEqual([undefined, 500]);
	});
});
