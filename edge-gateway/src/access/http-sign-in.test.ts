import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PublicKeys, Tokens } from '@crowdvision/service-kit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SignInThrottle } from '../limits/sign-in-throttle.ts';
import { Registry } from '../registry.ts';
import { Credentials } from './credentials.ts';
import { basicCredentials, HttpSignIn } from './http-sign-in.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('P13 HTTP Basic (RFC 7617)', () => {
	it.each<[string, string | undefined, ReturnType<typeof basicCredentials>]>([
		['device id and token', basic('dev-1:tok'), { deviceId: 'dev-1', token: 'tok' }],
		[
			'the scheme in any case, with spaces',
			basic('dev-1:tok').replace('Basic ', 'bASIC   '),
			{ deviceId: 'dev-1', token: 'tok' },
		],
		['an id with colons', basic('aa:bb:cc:tok'), { deviceId: 'aa:bb:cc', token: 'tok' }],
		['an id beyond ASCII, in UTF-8', basic('Tür:tok'), { deviceId: 'Tür', token: 'tok' }],
		['an empty token', basic('dev-1:'), { deviceId: 'dev-1', token: '' }],
		['no id', basic(':tok'), { deviceId: '', token: 'tok' }],
		['base64 without padding', basic('dev-1:toke').replace(/=+$/, ''), { deviceId: 'dev-1', token: 'toke' }],
		['no header', undefined, undefined],
		['another scheme', 'Bearer abc', undefined],
		['a scheme that only begins so', 'Basically abc', undefined],
	])('finds id and token, or leaves the header to another scheme: %s', (_what, header, expected) => {
		expect(basicCredentials(header)).toEqual(expected);
	});

	it.each(['Basic %%%', basic('no colon'), 'Basic dev-1:token in the clear', 'Basic ='])(
		'refuses what is not the base64 of id and token: %s',
		(header) => {
			expect(() => basicCredentials(header)).toThrow('Basic credentials must be the base64 of <device id>:<token>');
		},
	);
});

describe('a connection whose credentials were verified', () => {
	const SECRET = 'a secret for tests only, of more than 32 characters';

	async function signedIn(tokens: Tokens, token: string) {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-sign-in-'));
		onTestFinished(() => rm(dir, { recursive: true }));
		const registry = Registry.open(join(dir, 'registry'));
		onTestFinished(() => registry.close());
		const signIn = new HttpSignIn(new Credentials(tokens, registry), new SignInThrottle());
		const connection = {};
		const authorization = `Bearer ${token}`;
		const sender = await signIn.sender({ headers: { authorization } }, '192.0.2.1');
		signIn.remember(connection, authorization, sender);
		return { sender, again: (header?: string, on: object = connection) => signIn.again(on, header ?? authorization) };
	}

	it('gives its sender again for the same credentials, and for no others', async () => {
		const tokens = new Tokens(SECRET);
		const token = await tokens.signDevice({ id: 'd', domainName: 'acme' });
		const { sender, again } = await signedIn(tokens, token);
		expect(again()).toBe(sender);
		const header = `Bearer ${token}`;
		const turned = (at: number) => `${header.slice(0, at)}${header[at] === 'x' ? 'y' : 'x'}${header.slice(at + 1)}`;
		for (let at = 0; at < header.length; at++) expect(again(turned(at))).toBeUndefined();
		for (const other of ['', header.slice(1), `${header} `, 'é'.repeat(header.length)])
			expect(again(other)).toBeUndefined();
		expect(again(header, {})).toBeUndefined();
	});

	it('is signed in anew once the token has expired', async () => {
		const tokens = new Tokens(SECRET);
		let now = Date.now();
		tokens.clock = { now: () => now, known: () => true };
		const { again } = await signedIn(tokens, await tokens.signDevice({ id: 'd', domainName: 'acme' }));
		now += 5 * 364 * 24 * 3600_000;
		expect(again()).toBeDefined();
		now += 10 * 24 * 3600_000;
		expect(again()).toBeUndefined();
	});

	it('is signed in anew once the key of the token is given up or replaced', async () => {
		const pair = () => generateKeyPairSync('ed25519');
		const keys = new PublicKeys();
		const [first, second] = [pair(), pair()];
		const publish = (key: typeof first) =>
			keys.set({
				...(key.publicKey.export({ format: 'jwk' }) as { x: string }),
				kty: 'OKP',
				crv: 'Ed25519',
				kid: 'k',
				alg: 'EdDSA',
				use: 'sig',
			});
		const tokens = new Tokens(keys);
		tokens.signWith({
			keyFor: async () => ({ alg: 'EdDSA', kid: 'k', key: first.privateKey.toCryptoKey('Ed25519', false, ['sign']) }),
		});
		publish(first);
		const { again } = await signedIn(tokens, await tokens.signDevice({ id: 'd', domainName: 'acme' }));
		expect(again()).toBeDefined();
		publish(second);
		expect(again()).toBeUndefined();
		keys.delete('k');
		expect(again()).toBeUndefined();
	});
});
