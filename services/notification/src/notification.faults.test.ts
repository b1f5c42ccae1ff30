import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { START } from '@crowdvision/bus';
import { type Reading, TABLES } from '@crowdvision/contracts';
import { createLogger, Registry, Site, Tokens } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { startNode } from '@crowdvision/testing/processes';
import { openEmbeddedBus } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNotification } from './index.ts';
import { type AlertDocument, NOTIFICATION_STORE, type RoomDocument, roomKey } from './store.ts';
import { HALL } from './testing/hall.ts';

const KILLS = 10;
/** Twelve seconds on a machine that has nothing else to do. */
const PATIENCE_MS = 180_000;
const LIMIT = 100;
const CLEAR_AT = 95;
let dataDir: string;

beforeEach(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-notification-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** How many breaches there were, and whether the last one still is. */
function breaches(counts: number[]): { number: number; open: boolean } {
	let number = 0;
	let open = false;
	for (const count of counts) {
		if (!open && count > LIMIT) number++;
		open = open ? count > CLEAR_AT : count > LIMIT;
	}
	return { number, open };
}

describe('P10 the notification service', () => {
	it(
		'opens exactly one alert per breach, however often it is killed -9',
		async () => {
			for (let run = 0; run < KILLS; run++) {
				const child = await startNode('services/notification/src/testing/crashing-notification.ts', {
					args: [dataDir, `run${run}`],
					ready: /running\n/,
				});
				await child.waitFor(new RegExp(`run${run} ${100 + run * 41}\n`));
				await child.kill('SIGKILL');
			}
			const { bus, close } = await openEmbeddedBus(dataDir);
			await bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(HALL));
			const logger = createLogger('notification', 'silent');
			const stores = await openStores({ dataDir, logger });
			const store = await stores.open('notification', NOTIFICATION_STORE);
			// A store in files can be opened once: the service uses the one that the test reads.
			const service = await createNotification({
				bus,
				stores: { ...stores, open: async () => store },
				dataDir,
				logger,
				metrics: new Registry(),
				site: new Site(),
				now: Date.now,
				tokens: new Tokens('x'.repeat(32)),
			});
			try {
				const end = await bus.position('telemetry');
				const counts: number[] = [];
				let reached = START;
				const tail = await bus.tail('telemetry', START, (entries) => {
					for (const { data } of entries) counts.push((JSON.parse(data) as Reading).value);
					reached = entries.at(-1)!.position;
				});
				await waitFor('the whole stream', () => reached === end);
				await tail.close();
				const rooms = store.collection<RoomDocument>('rooms');
				await waitFor(
					'every reading to be evaluated',
					async () => (await rooms.get(roomKey('museum-1', 'hall')))?.value.sensors[0]?.position === end,
				);
				expect(counts.length).toBeGreaterThan(KILLS * 100);
				const { number, open } = breaches(counts);
				expect(number).toBeGreaterThan(20);
				const alerts = await store
					.collection<AlertDocument>('alerts')
					.find({ order: { by: 'number' }, limit: 100_000 });
				expect(alerts.map(({ value }) => value.alert.state)).toEqual(
					Array.from({ length: number }, (_, n) => (open && n === number - 1 ? 'open' : 'resolved')),
				);
				await waitFor(
					'everything to be announced',
					async () => (await store.collection('outbox').find({ limit: 1 })).length === 0,
				);
			} finally {
				await service.stop();
				await bus.close();
				await close();
				await stores.close();
			}
		},
		PATIENCE_MS,
	);
});
