import { mkdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLogFolder } from '@crowdvision/log';
import { Tokens } from '@crowdvision/service-kit';
import {
	breakDown,
	fillUp,
	mend,
	mountable,
	mountFile,
	mountMemory,
	unmount,
} from '@crowdvision/testing/failing-disks';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(SECRET);
const can = mountable();

let dir: string;
let disk: string;
let token: string;
let running: Running | undefined;
let url: string;
beforeAll(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-disk-'));
	disk = join(dir, 'disk');
	mkdirSync(disk);
	await writeFile(join(dir, 'gateway.yaml'), 'gatewayId: disk\n');
	token = await tokens.signDevice({ id: 'd', domainName: 'acme', buildingId: 'b1' });
});
afterEach(async () => {
	await running?.kill();
	unmount(disk);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function start(): Promise<void> {
	const [port, mqttPort] = [await freePort(), await freePort()];
	url = `http://127.0.0.1:${port}`;
	running = await startNode('edge-gateway/src/main.ts', {
		env: {
			PORT: String(port),
			MQTT_PORT: String(mqttPort),
			DATA_DIR: join(disk, 'data'),
			GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'silent',
		},
		ready: /^ready /m,
		timeoutMs: 60_000,
	});
}

/** Sends readings until one is refused, or `count`. Resolves with the refusal; acknowledged ones go into the list. */
async function send(acknowledged: number[], from: number, count: number): Promise<Response | undefined> {
	for (let seq = from; seq < from + count; seq++) {
		const answer = await fetch(`${url}/ingest`, {
			method: 'POST',
			headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
			body: JSON.stringify({ sensorId: 's', metric: 'co2', value: 400, seq, buildingId: 'b1', roomId: 'hall' }),
		});
		if (answer.status !== 202) return answer;
		acknowledged.push(seq);
	}
	return undefined;
}

const ready = async () => (await fetch(`${url}/readyz`)).status;

/** The seqs in the log on disk, oldest first. */
const stored = () =>
	[...readLogFolder(join(disk, 'data/gateway/log')).newestFirst()]
		.map(({ payload }) => (JSON.parse(payload.toString()) as { seq: number }).seq)
		.reverse();

describe('P15 a disk that fails while the gateway runs', () => {
	it.skipIf(!can.memory)(
		'and is full: nothing is acknowledged that is not stored, readiness says so, and it goes on when there is room',
		async () => {
			mountMemory(disk, 8);
			await start();
			const acknowledged: number[] = [];
			expect(await send(acknowledged, 1, 20)).toBeUndefined();
			expect(await ready()).toBe(200);
			const filler = fillUp(disk);
			const refusal = await send(acknowledged, 100, 5000);
			expect(refusal?.status).toBe(503);
			expect(Number(refusal!.headers.get('retry-after'))).toBeGreaterThan(0);
			expect(await ready()).toBe(503);
			expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^gateway_log_write_failures\S* [1-9]/m);
			rmSync(filler);
			// Nobody has to send anything for it to notice.
			await waitFor('readiness', async () => (await ready()) === 200);
			expect(await send(acknowledged, 10_000, 20)).toBeUndefined();
			await running!.kill();
			expect(stored()).toEqual(acknowledged);
		},
	);

	it.skipIf(!can.file)(
		'and becomes read-only: nothing more is acknowledged, it ends in order, and a start on the mended disk has all',
		async () => {
			const image = join(dir, 'image');
			mountFile(disk, image);
			await start();
			const acknowledged: number[] = [];
			expect(await send(acknowledged, 1, 20)).toBeUndefined();
			breakDown(disk);
			const refusal = await send(acknowledged, 100, 5);
			expect(acknowledged).toHaveLength(20);
			expect(refusal?.status).toBe(503);
			expect(await ready()).toBe(503);
			expect(await running!.stop()).toMatchObject({ signal: null });
			mend(disk, image);
			await start();
			expect(await send(acknowledged, 100, 5)).toBeUndefined();
			await running!.stop();
			expect(stored()).toEqual(acknowledged);
		},
	);
});
