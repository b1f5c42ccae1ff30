import { followTokens, PublicKeys, SharedSecret, Tokens } from '@crowdvision/service-kit';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Auth, createAuth } from '../index.ts';

const KEY = 'the key of the first machine, 32 characters';
const SECRET = 'the secret of the first machine, of 32 characters';
const ADA = { email: 'ada@example.org', password: 'correct horse', name: 'Ada' };

describe('P14 a backup restored on another machine', () => {
	onEachEngine((mongoUrl) => {
		describe.each(['secret', 'keypair'])('signing by %s', (signing) => {
			let world: ServiceWorld;
			let auth: Served & { service: Auth };
			const start = async (AUTH_KEY: string, secret = new SharedSecret(SECRET)) => {
				const tokens = new Tokens(signing === 'keypair' ? new PublicKeys() : secret);
				const { bus, logger } = world.parts;
				auth = await world.serve((parts) => createAuth({ ...parts, tokens }, { AUTH_KEY }));
				await followTokens(tokens, bus, logger);
			};
			const login = () => auth.call<{ token: string }>('POST', '/login', { body: ADA });

			beforeEach(async () => {
				const url = mongoUrl?.();
				world = await openServiceWorld(url === undefined ? {} : { mongoUrl: url });
				await start(KEY);
				const { token } = (await auth.call<{ token: string }>('POST', '/register', { body: ADA })).body;
				await auth.call('POST', '/domains', { token, body: { name: 'museum' } });
				await auth.call('GET', '/domains/museum/invites', { token });
			});
			afterEach(() => world.stop());

			it('is complete with its keys', async () => {
				await world.restart();
				await start(KEY);
				const { token } = (await login()).body;
				expect((await auth.call('GET', '/domains/museum/invites', { token })).status).toBe(200);
				expect(await auth.service.trouble()).toBeUndefined();
			});

			it('says loudly what does not work without its key, readiness too, until that is set again', async () => {
				await world.restart();
				await start('the key of another machine, 32 characters');
				expect(await auth.service.trouble()).toMatch(/^AUTH_KEY, or the file auth-key .*: invites of museum\./);
				expect((await auth.call('GET', '/readyz')).status).toBe(503);
				const answer = await login();
				expect(answer.status).toBe(200);
				const { token } = answer.body;
				expect(await auth.call('GET', '/domains/museum/invites', { token })).toMatchObject({
					status: 503,
					body: { error: { message: expect.stringContaining('AUTH_KEY') } },
				});
				const join = await auth.call('POST', '/domains/museum/join', { token, body: { code: '123 456' } });
				expect(join.status).toBe(503);
			});

			const isSecret = signing === 'secret';
			it(`without jwt-secret ${isSecret ? 'names' : 'has no'} devices whose tokens are void`, async () => {
				const { token } = (await login()).body;
				const make = async (name: string, session = token) =>
					(await auth.call<{ deviceId: string }>('POST', '/domains/museum/devices', { token: session, body: { name } }))
						.body.deviceId;
				const door = await make('door');
				await world.restart();
				const other = 'the secret of the second machine, of 32 characters';
				await start(KEY, new SharedSecret(other));
				if (!isSecret) return expect(await auth.service.trouble()).toBeUndefined();
				const trouble = await auth.service.trouble();
				expect(trouble).toMatch(
					/^JWT_SECRET, or the file jwt-secret .* are refused: dev-\w+ \(door, museum\)\. Restore/,
				);
				expect(trouble).toContain(door);
				expect((await auth.call('GET', '/readyz')).status).toBe(503);
				const again = (await login()).body.token;
				await make('window', again);
				await auth.call('DELETE', `/domains/museum/devices/${door}`, { token: again });
				await world.restart();
				await start(KEY, new SharedSecret(other));
				expect(await auth.service.trouble()).toBeUndefined();
				// The secret of the backup after all: what the other one signed is void.
				await world.restart();
				await start(KEY);
				expect(await auth.service.trouble()).toMatch(/are refused: dev-\w+ \(window, museum\)\./);
				await world.restart();
				await start(KEY, new SharedSecret(SECRET, other));
				expect(await auth.service.trouble()).toBeUndefined();
			});
		});
	});
});
