import { mkdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HistoryPoint } from '@crowdvision/contracts';
import { fillUp, mountable, mountMemory, unmount } from '@crowdvision/testing/failing-disks';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const DISK_MIB = 64;
const BUILDING = {
	id: 'works',
	rooms: [
		{
			...{ id: 'hall', capacity: 10 },
			...{ position: { x: 0, y: 0, z: 0 }, dimensions: { width: 5, height: 3, depth: 5 } },
		},
	],
};
const can = mountable();

describe.skipIf(!can.memory)('P15 everything in one process, on a disk that runs full', () => {
	let dir: string;
	let disk: string;
	let running: Running;
	let token: string;

	beforeAll(async () => {
		dir = await mkdtemp(join(tmpdir(), 'crowdvision-embedded-disk-'));
		disk = join(dir, 'disk');
		mkdirSync(disk);
		mountMemory(disk, DISK_MIB);
		await start();
	});
	afterAll(async () => {
		await running?.kill();
		unmount(disk);
		await rm(dir, { recursive: true, force: true });
	});

	async function start(): Promise<void> {
		running = await startNode('standalone.ts', {
			env: {
				...{ PORT: '0', MQTT_PORT: '0', DATA_DIR: join(disk, 'data'), DEMO: '0', LOG_LEVEL: 'silent' },
				...{ REDIS_URL: undefined, GATEWAY_CONFIG: undefined },
			},
			ready: /^ready (http:\S+) mqtt:\S+$/m,
			timeoutMs: 60_000,
		});
	}

	const request = (method: string, path: string, body?: unknown, by: string | undefined = token) =>
		fetch(`${running.ready[1]}${path}`, {
			method,
			headers: { 'content-type': 'application/json', ...(by !== undefined && { authorization: `Bearer ${by}` }) },
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
	const tokenOf = async (answer: Promise<Response>) => ((await (await answer).json()) as { token: string }).token;

	it('acknowledges and saves nothing that is not on disk, still answers, and goes on when there is room', async () => {
		const person = { email: 'ada@example.org', password: 'a long password', name: 'Ada' };
		token = await tokenOf(request('POST', '/auth/register', person));
		expect((await request('POST', '/auth/domains', { name: 'works' })).status).toBe(201);
		token = await tokenOf(request('POST', '/auth/refresh'));
		expect((await request('POST', '/twin/buildings', BUILDING)).status).toBe(201);
		const device = await tokenOf(request('POST', '/auth/domains/works/devices', { name: 'hub' }));

		let acknowledged = 0;
		const begin = Date.now() - 60_000;
		/** Sends readings until one is refused, or `count`; resolves with the status of the refusal. */
		const send = async (count: number): Promise<number | undefined> => {
			for (let n = 0; n < count; n++) {
				const reading = { sensorId: 's', metric: 'co2', value: 400, buildingId: 'works', roomId: 'hall' };
				const seq = acknowledged + 1;
				const answer = await request('POST', '/ingest', { ...reading, seq, observedAt: begin + seq }, device);
				if (answer.status !== 202) return answer.status;
				acknowledged++;
			}
			return undefined;
		};
		const rename = (name: string) => request('PATCH', '/twin/buildings/works', { name });
		const stored = async () => {
			const query = `room=hall&metric=co2&from=${begin - 60_000}&to=${Date.now()}&bucket=1d&agg=count`;
			const answer = await request('GET', `/twin/buildings/works/history?${query}`);
			const { points } = (await answer.json()) as { points: HistoryPoint[] };
			return points.reduce((total, { value }) => total + (value ?? 0), 0);
		};

		expect(await send(20)).toBeUndefined();
		await waitFor('the history', async () => (await stored()) === 20);
		const filler = fillUp(disk);
		expect(await send(20_000)).toBe(503);
		const names: string[] = [];
		const refused = await waitFor('a refused change', async () => {
			const name = `Works ${names.length}`;
			const answer = await rename(name);
			if (answer.status !== 200) return answer;
			names.push(name);
			return undefined;
		});
		expect(refused.status).toBe(503);
		expect(await refused.json()).toMatchObject({ error: { code: 'unavailable' } });
		expect((await request('GET', '/twin/buildings/works/state')).status).toBe(200);

		rmSync(filler);
		await waitFor('room for readings', async () => (await send(1)) === undefined);
		await waitFor('room for changes', async () => (await rename('Works, mended')).status === 200);
		await waitFor('every acknowledged reading', async () => (await stored()) === acknowledged);
		await running.kill();
		await start();
		await waitFor('every acknowledged reading', async () => (await stored()) === acknowledged);
		expect(await (await request('GET', '/twin/buildings/works')).json()).toMatchObject({ name: 'Works, mended' });
	});
});
