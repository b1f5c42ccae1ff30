import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { START } from '@crowdvision/bus';
import type { Reading } from '@crowdvision/contracts';
import { createLogger, Registry, Site, Tokens } from '@crowdvision/service-kit';
import { openStores, type Store, type Stores } from '@crowdvision/store';
import { startNode } from '@crowdvision/testing/processes';
import { openEmbeddedBus } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTwin, type Twin } from './index.ts';
import { onEachEngine } from './testing/museum.ts';

/** Starting a process takes seconds on a busy machine, and every kill needs a new one. */
const KILLING_MS = 300_000;
const LIFE_MS = 60_000;
let dataDir: string;

beforeEach(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-twin-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

onEachEngine((databaseUrl) => {
	it(
		'stores every reading once and shows the newest, however often it is killed -9',
		() => killRepeatedly(databaseUrl ? 5 : 10, databaseUrl?.()),
		KILLING_MS,
	);
});

async function killRepeatedly(kills: number, mongoUrl: string | undefined): Promise<void> {
	const acknowledged: string[] = [];
	for (let run = 0; run < kills; run++) {
		const child = await startNode('services/twin/src/testing/crashing-twin.ts', {
			args: [dataDir, `run${run}`, ...(mongoUrl ? [mongoUrl] : [])],
			ready: /running\n/,
			timeoutMs: LIFE_MS,
		});
		await child.waitFor(new RegExp(`run${run} ${100 + run * 37}\n`));
		await child.kill('SIGKILL');
		for (const [line] of child.stdout().matchAll(/^run\d+ \d+$/gm)) acknowledged.push(line.replace(' ', '-'));
	}
	expect(acknowledged.length).toBeGreaterThan(kills * 100);

	const { bus, close } = await openEmbeddedBus(dataDir);
	const logger = createLogger('twin', 'silent');
	const stores = await openStores({ dataDir, mongoUrl, logger });
	try {
		const twin = await createTwin({
			bus,
			stores,
			dataDir,
			logger,
			metrics: new Registry(),
			site: new Site(),
			now: Date.now,
			tokens: new Tokens('x'.repeat(32)),
		});
		const end = await bus.position('telemetry');
		const store = await takeOver(twin, stores, end);
		const of = { buildingId: 'museum-1', roomId: 'hall', metric: 'co2' } as const;
		const stored = await store.readings.samples(of, { from: 0, to: Number.MAX_SAFE_INTEGER }, 1_000_000);
		// Readings that were durable but not acknowledged before a kill are in the stream too.
		const streamed = new Map<string, Reading>();
		const tail = await bus.tail('telemetry', START, (entries) => {
			for (const { data } of entries) {
				const reading = JSON.parse(data) as Reading;
				streamed.set(reading.id, reading);
			}
		});
		await waitFor('the whole stream', () => streamed.size >= stored.length);
		await tail.close();
		expect(new Set(acknowledged).difference(new Set(streamed.keys()))).toEqual(new Set());
		const moments = (samples: Iterable<{ observedAt: number; value: number }>) =>
			[...samples].map(({ observedAt, value }) => `${observedAt} ${value}`).toSorted();
		expect(moments(stored)).toEqual(moments(streamed.values()));
		const { position, latest } = await store.readings.latest('telemetry', 'museum-1');
		expect(position).toBe(end);
		expect(latest).toMatchObject([{ roomId: 'hall', metric: 'co2', observedAt: stored.at(-1)!.observedAt }]);
		await store.close();
	} finally {
		await bus.close();
		await close();
		await stores.close();
	}
}

/** Waits until twin has stored everything up to `end`, stops it, and opens its store. */
async function takeOver(twin: Twin, stores: Stores, end: string): Promise<Store> {
	const definition = { collections: {}, readings: { readingsMs: 1e12, rollUpsMs: 1e12 } };
	await waitFor('everything to be stored', async () => (await twin.progress()) === end);
	await twin.stop();
	return stores.open('twin', definition);
}
