import { describe, expect, it } from 'vitest';
import { Tokens } from '../tokens/tokens.ts';
import { bearerToken } from './guards.ts';

const tokenIn = (authorization?: string) => bearerToken({ headers: { authorization } });

describe('the bearer token of a request', () => {
	it('is the text after the scheme, whose case does not matter', () => {
		for (const header of ['Bearer a.b.c', 'bearer a.b.c', 'BEARER   a.b.c', 'Bearer a.b.c  '])
			expect(tokenIn(header), header).toBe('a.b.c');
	});

	it('is undefined without the header, with another scheme or without a token', () => {
		const headers = [undefined, '', 'Bearer', 'Bearer ', 'Bearer   ', 'Basic a.b.c', 'Bearera.b.c', ' Bearer a.b.c'];
		for (const header of headers) expect(tokenIn(header), header).toBeUndefined();
	});

	it('is refused if it contains, anywhere, a character that no token has', async () => {
		const tokens = new Tokens('a secret for tests only, of more than 32 characters');
		const token = await tokens.signAccount({ id: 'a', name: 'A', memberships: [] });
		await expect(tokens.verifyAccount(tokenIn(`Bearer ${token}`)!)).resolves.toMatchObject({ sub: 'a' });
		const [header, payload, signature] = token.split('.');
		for (const foreign of [' ', '\t', '!', ',', '"', '%', '=', '+', '/', '.', '\u00a0', '\u00ff']) {
			// Spaces before the token belong to the scheme.
			const before = foreign === ' ' ? [] : [`${foreign}${token}`];
			for (const changed of [
				...before,
				`${header}${foreign}.${payload}.${signature}`,
				`${header}.${payload}${foreign}.${signature}`,
			]) {
				await expect(tokens.verifyAccount(tokenIn(`Bearer ${changed}`)!), changed).rejects.toMatchObject({
					code: 'unauthenticated',
				});
			}
			const [start, end] = [signature!.slice(0, 9), signature!.slice(9)];
			const within = `${header}.${payload}.${start}${foreign}${end}`;
			await expect(tokens.verifyAccount(tokenIn(`Bearer ${within}`)!), within).rejects.toMatchObject({
				code: 'unauthenticated',
			});
		}
	});
});
