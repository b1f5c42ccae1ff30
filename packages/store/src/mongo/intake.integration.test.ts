import { type MongoForTests, mongoForTests, whyNoMongo } from '@crowdvision/testing/mongod';
import { type Connection, createConnection } from 'mongoose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROLL_UP_MS, type Store, type Stores } from '../store.ts';
import { BASE, HOLD_MS, OF_HALL, placed, samplesOf } from '../testing/conformance-placed.ts';
import { DEFINITION, type World } from '../testing/conformance-world.ts';
import { takeIn } from './intake.ts';
import { mongoStores } from './mongo-store.ts';
import { type ReadingCollections, readingCollections } from './series.ts';

const OPTIONS = { holdMs: HOLD_MS, after: (a: string, b: string) => Number(a) > Number(b) };
const EVER = { from: 0, to: BASE * 2 };
const WRITES = ['insertMany', 'bulkWrite', 'updateOne'];

/**
 * Collections whose n-th write fails, before or after it was done, and all later ones, as in a process that crashed.
 */
function crashing(collections: ReadingCollections, n: number, when: 'before' | 'after'): ReadingCollections {
	let writes = 0;
	const wrapped = Object.entries(collections).map(([name, collection]) => [
		name,
		new Proxy(collection, {
			get(target, method) {
				const value = Reflect.get(target, method);
				if (typeof value !== 'function') return value;
				if (!WRITES.includes(String(method))) return value.bind(target);
				return async (...args: unknown[]) => {
					writes++;
					if (writes > n || (writes === n && when === 'before')) throw new Error('crashed');
					const result = await value.apply(target, args);
					if (writes === n) throw new Error('crashed');
					return result;
				};
			},
		}),
	]);
	return Object.fromEntries(wrapped);
}

describe.skipIf(whyNoMongo())('storing readings in MongoDB', () => {
	let mongo: MongoForTests;
	let url: string;
	let stores: Stores;
	let store: Store;
	let connection: Connection;

	beforeAll(async () => {
		mongo = await mongoForTests();
	});
	afterAll(() => mongo?.stop());
	beforeEach(async () => {
		url = mongo.database();
		stores = mongoStores({ url });
		store = await stores.open('things', DEFINITION);
		connection = await createConnection(url).asPromise();
	});
	afterEach(async () => {
		await connection.close();
		await stores.close();
		await mongo.drop(url);
	});

	const collections = () => readingCollections(connection.db!, 'things');
	const stored = () => collections().measurements.countDocuments();

	/** Expects every period to be stale or to have roll-ups that include all of its samples. */
	async function expectComplete() {
		const stale = await store.readings.stalePeriods(OF_HALL, EVER);
		const counted = new Map((await store.readings.rollUps(OF_HALL, EVER)).map(({ start, count }) => [start, count]));
		const starts = new Set(
			(await samplesOf({ store } as World)).map(({ observedAt }) => Math.floor(observedAt / ROLL_UP_MS) * ROLL_UP_MS),
		);
		for (const start of starts) {
			const samples = await store.readings.samples(OF_HALL, { from: start, to: start + ROLL_UP_MS }, 1000);
			if (!stale.includes(start)) expect([start, counted.get(start)]).toEqual([start, samples.length]);
		}
	}

	async function rollUp() {
		for (const period of await store.readings.nextStale(BASE * 2, 100)) {
			const { length } = await store.readings.samples(
				OF_HALL,
				{ from: period.start, to: period.start + ROLL_UP_MS },
				1000,
			);
			const { start } = period;
			await store.readings.replaceRollUps(period, [
				{ start, knownMs: 1, weighted: 1, count: length, min: 1, max: 1, last: 1, lastAt: start },
			]);
		}
	}

	it.each(['before', 'after'] as const)(
		'can be repeated without harm after a crash %s any of its writes',
		async (when) => {
			let position = 0;
			let expected = 0;
			for (let writes = 1; ; writes++) {
				const batch = Array.from({ length: 5 }, () => placed(++position, { observedAt: BASE + position * 60_000 }));
				const progress = { stream: 'telemetry', position: String(position) };
				const outcome = await takeIn(crashing(collections(), writes, when), batch, progress, OPTIONS).then(
					() => 'done',
					(error: Error) => error.message,
				);
				await rollUp();
				await expectComplete();
				await takeIn(collections(), batch, progress, OPTIONS);
				expected += batch.length;
				await rollUp();
				await expectComplete();
				expect(await samplesOf({ store } as World)).toHaveLength(expected);
				expect(await stored()).toBe(expected);
				const { position: read, latest } = await store.readings.latest('telemetry', 'museum');
				expect({ read, value: latest[0]!.value }).toEqual({ read: String(position), value: position });
				if (outcome === 'done') {
					expect(writes).toBeGreaterThan(4);
					return;
				}
				expect(outcome).toBe('crashed');
			}
		},
	);

	it('keeps a period stale while a batch may still be adding to it', async () => {
		const batch = [placed(1)];
		const progress = { stream: 'telemetry', position: '1' };
		await takeIn(crashing(collections(), 1, 'after'), batch, progress, OPTIONS).catch(() => {});
		expect(await store.readings.nextStale(BASE * 2, 9)).toEqual([]);
		expect(await store.readings.stalePeriods(OF_HALL, EVER)).toEqual([BASE]);
		await takeIn(collections(), batch, progress, OPTIONS);
		expect(await store.readings.stalePeriods(OF_HALL, EVER)).toEqual([BASE]);
	});

	it('shows a sample once if two processes added it at the same time', async () => {
		const same = {
			_id: 'r-1',
			t: new Date(BASE + 1000),
			m: { building: 'museum', room: 'hall', metric: 'temperature', sensor: 't-1' },
			v: 1,
		};
		await collections().measurements.insertMany([same, { ...same }, { ...same, _id: 'r-2', v: 2 }, { ...same }]);
		const samples = (limit: number) => store.readings.samples(OF_HALL, EVER, limit);
		expect((await samples(10)).map(({ value }) => value)).toEqual([1, 2]);
		expect((await samples(2)).map(({ value }) => value)).toEqual([1, 2]);
		expect((await samples(1)).map(({ value }) => value)).toEqual([1]);
	});

	it('ends in the same state when two processes store the same batches at the same time', async () => {
		const others = mongoStores({ url });
		const other = await others.open('things', DEFINITION);
		for (let round = 0; round < 20; round++) {
			const batch = Array.from({ length: 50 }, (_, n) => {
				const position = round * 50 + n + 1;
				return placed(position, { sensorId: `t-${n % 7}`, observedAt: BASE + position * 10_000 });
			});
			const progress = { stream: 'telemetry', position: batch.at(-1)!.position };
			await Promise.all([store, other].map(({ readings }) => readings.insert(batch, progress, OPTIONS)));
		}
		await others.close();
		expect(await samplesOf({ store } as World)).toHaveLength(1000);
		const { position, latest } = await store.readings.latest('telemetry', 'museum');
		expect(position).toBe('1000');
		expect(latest.map(({ value }) => value).sort()).toEqual([1000, 994, 995, 996, 997, 998, 999].sort());
		await rollUp();
		await expectComplete();
	});
});
