import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { waitFor } from '@crowdvision/testing/wait';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Standalone, startStandalone } from './standalone.ts';
import { EMAIL, PASSWORD } from './world.ts';

const HOURS_MS = 3600_000;
/** A millisecond: no error at all would look like a file that is just being written. */
const RIGHT = 1;

describe.each(['secret', 'keypair'])(
	'P14 a clock that was 4 h ahead at the start and is put right, signing by %s',
	(signing) => {
		const dir = mkdtempSync(join(tmpdir(), 'crowdvision-ahead-'));
		const file = join(dir, 'error');
		let whole: Standalone;
		const beWrongBy = (ms: number) => {
			writeFileSync(`${file}.new`, String(ms));
			renameSync(`${file}.new`, file);
		};
		const ask = (method: string, path: string, token?: string, body?: object) =>
			fetch(`${whole.http}${path}`, {
				method,
				headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
				...(body && { body: JSON.stringify(body) }),
			});
		const login = async () => {
			const answer = await ask('POST', '/auth/login', undefined, { email: EMAIL, password: PASSWORD });
			expect(answer.status).toBe(200);
			return ((await answer.json()) as { token: string }).token;
		};

		beforeAll(async () => {
			beWrongBy(4 * HOURS_MS);
			whole = await startStandalone(
				{ CLOCK_ERROR_FILE: file, CLOCK_ENTRY: join(ROOT, 'standalone.ts'), JWT_SIGNING: signing },
				'test/faults/set-clock-gateway.ts',
			);
			await whole.studioCount(3);
			beWrongBy(RIGHT);
			await waitFor('the clock to be set', () => readFileSync(`${file}.seen`, 'utf8') === String(RIGHT));
		}, 60_000);
		afterAll(async () => {
			await whole?.stop();
			rmSync(dir, { recursive: true });
		});

		it('lets people sign in, and every service takes their token', async () => {
			const token = await login();
			for (const path of [
				'/auth/me',
				'/twin/buildings',
				'/notification/alerts',
				'/llm/conversations',
				'/gateway/devices',
			]) {
				const answer = await ask('GET', path, token);
				expect([answer.status, await answer.text()], path).toEqual([200, expect.anything()]);
			}
			expect((await ask('POST', '/auth/refresh', token)).status).toBe(200);
			const socket: Socket = io(whole.http, { auth: { token }, transports: ['websocket'] });
			await new Promise<void>((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject));
			socket.close();
		});

		it('ends a session at once when it is signed out', async () => {
			const token = await login();
			expect((await ask('POST', '/auth/logout', token)).status).toBe(204);
			for (const path of ['/auth/me', '/twin/buildings'])
				expect((await ask('GET', path, token)).status, path).toBe(401);
		});

		it('takes the token of a device that is registered then', async () => {
			const made = await ask('POST', '/auth/domains/demo/devices', await login(), { name: 'new', buildingId: 'demo' });
			const { token } = (await made.json()) as { token: string };
			const reading = { sensorId: 'new-1', metric: 'co2', value: 700, buildingId: 'demo', roomId: 'studio' };
			expect((await ask('POST', '/ingest', token, reading)).status).toBe(202);
		});

		it('does not make anybody wait longer after wrong passwords than before', async () => {
			const wrong = () => ask('POST', '/auth/login', undefined, { email: EMAIL, password: 'wrong password' });
			const answers = [];
			for (let n = 0; n < 6; n++) answers.push(await wrong());
			expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429]);
			expect(Number(answers[5]!.headers.get('retry-after'))).toBeLessThanOrEqual(15);
		});
	},
);
