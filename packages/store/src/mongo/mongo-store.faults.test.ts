import { type Mongod, startMongod, whyNoMongod } from '@crowdvision/testing/mongod';
import { startNode } from '@crowdvision/testing/processes';
import { waitFor, within } from '@crowdvision/testing/wait';
import { createConnection } from 'mongoose';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Store, Stores } from '../store.ts';
import { BASE, insert, placed, samplesOf } from '../testing/conformance-placed.ts';
import { DAY_MS, DEFINITION, peopleOf, type World } from '../testing/conformance-world.ts';
import { mongoStores } from './mongo-store.ts';
import { readingCollections } from './series.ts';

const unavailable = { code: 'unavailable' };

/** Repeats work while the server is away, for at most a minute. A conflict means that a lost answer was a success. */
async function untilDone(work: () => Promise<unknown>): Promise<void> {
	const deadline = performance.now() + 60_000;
	for (;;) {
		try {
			await work();
			return;
		} catch (error) {
			const { code } = error as { code?: string };
			if (code === 'conflict') return;
			if (code !== 'unavailable' || performance.now() > deadline) throw error;
		}
	}
}

describe.skipIf(whyNoMongod())('the store on a failing MongoDB server', () => {
	let server: Mongod;
	let stores: Stores;
	let store: Store;

	beforeEach(async () => {
		server = await startMongod();
		stores = mongoStores({ url: `${server.url}/faults` });
		store = await stores.open('things', DEFINITION);
	});
	afterEach(async () => {
		await stores?.close();
		await server?.stop();
	});

	it('loses nothing it acknowledged and stores nothing twice through kill -9 under load', async () => {
		const world = { store } as World;
		const people = peopleOf(world);
		const committed: string[] = [];
		let taken = 0;
		let over = false;
		const writers = Array.from({ length: 4 }, async (_, writer) => {
			for (let n = 0; !over; n++) {
				const id = `p-${writer}-${n}`;
				await untilDone(() => store.commit([people.insert(id, { age: n }), people.insert(`${id}-twin`, { age: n })]));
				committed.push(id, `${id}-twin`);
			}
		});
		const intake = (async () => {
			while (!over) {
				const batch = Array.from({ length: 20 }, (_, n) => placed(taken + n + 1, { sensorId: `t-${n % 5}` }));
				await untilDone(() => insert(world, batch));
				taken += batch.length;
			}
		})();
		for (let kill = 1; kill <= 3; kill++) {
			const before = { committed: committed.length, taken };
			await waitFor('writes', () => committed.length > before.committed + 40 && taken > before.taken + 100, 60_000);
			await server.kill();
			await server.restart();
		}
		over = true;
		await within('the writers', Promise.all([...writers, intake]), 60_000);

		const stored = new Set((await people.getAll(committed)).map(({ id }) => id));
		expect(committed.filter((id) => !stored.has(id))).toEqual([]);
		const everybody = await people.find({ where: { age: { gte: 0 } }, limit: 100_000 });
		expect(
			everybody.filter(
				({ id }) => !everybody.some((other) => other.id === (id.endsWith('-twin') ? id.slice(0, -5) : `${id}-twin`)),
			),
		).toEqual([]);
		const samples = await samplesOf(world);
		expect(samples.map(({ value }) => value).sort((a, b) => a - b)).toEqual(
			Array.from({ length: taken }, (_, n) => n + 1),
		);
		expect(await store.readings.progress('telemetry')).toBe(String(taken));
		const connection = await createConnection(`${server.url}/faults`).asPromise();
		onTestFinished(() => connection.close());
		expect(await readingCollections(connection.db!, 'things').measurements.countDocuments()).toBe(taken);
	});

	it('refuses as unavailable while the server is away, reports it, and recovers by itself', async () => {
		const people = peopleOf({ store } as World);
		await store.commit([people.insert('before', { age: 1 })]);
		await server.kill();
		await expect(store.commit([people.insert('meanwhile', { age: 1 })])).rejects.toMatchObject(unavailable);
		await expect(people.get('before')).rejects.toMatchObject(unavailable);
		await expect(insert({ store } as World, [placed(1)])).rejects.toMatchObject(unavailable);
		const trouble = await within('the trouble', store.trouble());
		expect(trouble).toContain(`127.0.0.1:${server.port}`);
		await server.restart();
		await waitFor('the store', async () => (await store.trouble()) === undefined);
		expect(await people.get('before')).toMatchObject({ value: { age: 1 } });
		await store.commit([people.insert('after', { age: 1 })]);
	});

	it('reports a server that hangs, bounds the waiting requests, and goes on later', async () => {
		const people = peopleOf({ store } as World);
		await server.kill('SIGSTOP');
		try {
			expect(await within('the trouble', store.trouble(), 2000)).toMatch(/does not answer/);
			const many = Array.from({ length: 1100 }, (_, n) => store.commit([people.put(`p-${n}`, { age: n })]));
			const refused = await Promise.race(many.map((one) => one.then(undefined, (error: unknown) => error)));
			expect(refused).toMatchObject({ ...unavailable, retryAfter: 1 });
			await server.kill('SIGCONT');
			const outcomes = await Promise.allSettled(many);
			expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(900);
		} finally {
			await server.kill('SIGCONT');
		}
	});

	it('does not wait the minute for which the server keeps the transaction of a killed process', async () => {
		const people = peopleOf({ store } as World);
		await store.commit([people.put('a', { age: 1 }), people.put('b', { age: 1 })]);
		const writer = await startNode('packages/store/src/mongo/writer.fixture.ts', {
			args: [`${server.url}/faults`, 'things.people'],
			ready: /written/,
		});
		await writer.kill();
		const change = untilDone(() => store.commit([people.put('a', { age: 2 }), people.put('b', { age: 2 })]));
		await within('the change', change, 30_000);
		expect(await people.get('b')).toMatchObject({ value: { age: 2 } });
	});

	it('does not wait for a suspended process, which repeats its transaction when it goes on', async () => {
		const people = peopleOf({ store } as World);
		await store.commit([people.put('a', { age: 1 }), people.put('b', { age: 1 })]);
		const writer = await startNode('packages/store/src/mongo/writer.fixture.ts', {
			args: [`${server.url}/faults`, 'things.people'],
			ready: /written/,
		});
		await within(
			'the change of one document',
			untilDone(() => store.commit([people.put('b', { age: 2 })])),
			30_000,
		);
		writer.signal('SIGUSR2');
		await writer.waitFor(/committed 2/);
		await writer.exited;
		expect(await people.get('b')).toMatchObject({ value: { age: 202 } });
	});

	it('lets the server remove what is older than the retention, also after the retention changes', async () => {
		await stores.close();
		await server.stop();
		server = await startMongod({ expires: true });
		const open = async (days: number) => {
			stores = mongoStores({ url: `${server.url}/faults` });
			store = await stores.open('things', {
				...DEFINITION,
				readings: { readingsMs: days * DAY_MS, rollUpsMs: 9999 * DAY_MS },
			});
		};
		const now = Date.now();
		const daysAgo = (n: number, days: number) => placed(n, { observedAt: now - days * DAY_MS });
		const days = async () =>
			(await store.readings.samples(placed(1).reading, { from: BASE * 0, to: now + 1 }, 9)).map(
				({ observedAt }) => (now - observedAt) / DAY_MS,
			);
		await open(1000);
		await insert({ store } as World, [daysAgo(1, 500), daysAgo(2, 50), daysAgo(3, 5)]);
		expect(await days()).toEqual([500, 50, 5]);
		await stores.close();
		await open(100);
		await waitFor('the removal', async () => (await days()).length === 2, 30_000);
		expect(await days()).toEqual([50, 5]);
	});
});
