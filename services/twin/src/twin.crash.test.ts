import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { START } from '@crowdvision/bus';
import type { Reading } from '@crowdvision/contracts';
import { createLogger, Registry, Tokens } from '@crowdvision/service-kit';
import { startSqlite } from '@crowdvision/store';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startNode } from '../../../test/support/processes.ts';
import { openEmbeddedBus } from '../../../test/support/service-world.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { createTwin } from './index.ts';

const KILLS = 10;
let dataDir: string;

beforeEach(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-twin-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

it('stores every reading exactly once, and the newest as the state, however often it is killed -9 while it takes them in', async () => {
	const acknowledged: string[] = [];
	for (let run = 0; run < KILLS; run++) {
		const child = await startNode('services/twin/src/testing/crashing-twin.ts', { args: [dataDir, `run${run}`], ready: /running\n/ });
		await child.waitFor(new RegExp(`run${run} ${100 + run * 37}\n`));
		await child.kill('SIGKILL');
		for (const [line] of child.stdout().matchAll(/^run\d+ \d+$/gm)) acknowledged.push(line.replace(' ', '-'));
	}
	expect(acknowledged.length).toBeGreaterThan(KILLS * 100);

	const { bus, close } = await openEmbeddedBus(dataDir);
	const store = startSqlite();
	const twin = await createTwin({
		bus,
		store,
		dataDir,
		logger: createLogger('twin', 'silent'),
		metrics: new Registry(),
		tokens: new Tokens('x'.repeat(32)),
	});
	try {
		const database = await store.open(join(dataDir, 'twin.sqlite'), ['']);
		const end = await bus.position('telemetry');
		await waitFor('everything to be taken in', async () => {
			const row = await database.get<{ position: string }>('SELECT position FROM progress');
			return row?.position === end;
		});
		const stored = (await database.all<{ id: string }>('SELECT id FROM readings')).map(({ id }) => id);
		expect(new Set(stored).size).toBe(stored.length);
		expect(new Set(acknowledged).difference(new Set(stored))).toEqual(new Set());
		// What was durable but not yet acknowledged is in the stream too.
		const streamed: string[] = [];
		const tail = await bus.tail('telemetry', START, (entries) => {
			for (const { data } of entries) streamed.push((JSON.parse(data) as Reading).id);
		});
		await waitFor('the whole stream', () => streamed.length >= stored.length);
		await tail.close();
		expect(new Set(streamed)).toEqual(new Set(stored));
		const newest = await database.get('SELECT max(observed_at) AS observed_at FROM readings');
		expect(await database.get('SELECT observed_at FROM series')).toEqual(newest);
	} finally {
		await twin.stop();
		await bus.close();
		await close();
		await store.close();
	}
});
