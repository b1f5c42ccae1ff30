import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log, startCommitWorker } from '@crowdvision/log';
import { killsOf } from '@crowdvision/testing/fault-parameters';
import { startNode } from '@crowdvision/testing/processes';
import { startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';

const PER_KILL = 12_000;

it('P1 a relay killed again and again while it reads ahead appends each reading once, in order', async () => {
	const kills = killsOf(0.05, 2);
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-relay-'));
	onTestFinished(() => rm(dir, { recursive: true, force: true }));
	const server = await startRedis();
	onTestFinished(() => server.stop());
	const redis = new Redis(server.url);
	onTestFinished(() => redis.disconnect());
	const worker = startCommitWorker();
	const count = (kills + 1) * PER_KILL;
	const log = await Log.open({ dir, worker });
	for (let at = 0; at < count; at += 2000) {
		const payload = (number: number) => JSON.stringify({ id: `r-${number}`, note: 'x'.repeat(200), buildingId: 'b1' });
		await log.append(Array.from({ length: 2000 }, (_, index) => ({ payload: payload(at + index) })));
	}
	await log.close();
	await worker.close();

	for (let kill = 1; kill <= kills; kill++) {
		const child = await startNode('edge-gateway/src/testing/relay-child.ts', {
			args: [dir, server.url],
			ready: /ready/,
		});
		// Somewhere within its batches: what it has appended is at least this much and mostly more.
		const least = kill * PER_KILL - Math.floor(Math.random() * PER_KILL);
		await waitFor('its progress', async () => (await redis.xlen('telemetry')) >= least);
		await child.kill('SIGKILL');
	}
	const last = await startNode('edge-gateway/src/testing/relay-child.ts', { args: [dir, server.url], ready: /ready/ });
	onTestFinished(async () => void (await last.kill()));
	await waitFor('everything', async () => (await redis.xlen('telemetry')) >= count);
	const entries = await redis.xrange('telemetry', '-', '+');
	const found = entries.map(([, [, text]]) => Number(/"id":"r-(\d+)"/.exec(text!)![1]));
	expect(found).toEqual(Array.from({ length: count }, (_, number) => number));
}, 120_000);
