import type { Reading } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROLL_UP_MS } from '../store.ts';
import { BASE, insert, OF_HALL, placed, samplesOf } from './conformance-placed.ts';
import { reopen, type World } from './conformance-world.ts';

const RUNS = 20;

/** Guarantees of readings: samples, and the latest value of each sensor. */
export function describeReadings(world: World): void {
	const latest = async (buildingId = 'museum') => (await world.store.readings.latest('telemetry', buildingId)).latest;

	describe('readings', () => {
		it('move the progress of their stream, even when the batch is empty', async () => {
			expect(await world.store.readings.progress('telemetry')).toBeUndefined();
			expect(await world.store.readings.latest('telemetry', 'museum')).toEqual({ position: undefined, latest: [] });
			await insert(world, [placed(1), placed(2)]);
			expect(await world.store.readings.progress('telemetry')).toBe('2');
			await insert(world, [], '9');
			expect(await world.store.readings.progress('telemetry')).toBe('9');
			expect(await world.store.readings.progress('commands')).toBeUndefined();
			await reopen(world);
			expect(await world.store.readings.progress('telemetry')).toBe('9');
			expect((await world.store.readings.latest('telemetry', 'museum')).position).toBe('9');
		});

		it('are stored once per id: within a batch, in concurrent batches and after reopening', async () => {
			const batch = Array.from({ length: 100 }, (_, n) => placed(n + 1));
			await insert(world, [...batch, ...batch]);
			await Promise.all(Array.from({ length: 5 }, () => insert(world, [...batch, placed(101)])));
			await reopen(world);
			await insert(world, [placed(101), ...batch]);
			expect(await samplesOf(world)).toHaveLength(101);
		});

		it('are read as samples by time and then sensor, of one sensor or of all, up to the limit', async () => {
			await insert(world, [
				placed(1, { sensorId: 'b', observedAt: BASE + 20, value: 1 }),
				placed(2, { sensorId: 'a', observedAt: BASE + 20, value: 2 }),
				placed(3, { sensorId: 'a', observedAt: BASE + 10, value: 3 }),
				placed(4, { sensorId: 'a', observedAt: BASE + 30, value: 4 }),
				placed(5, { sensorId: 'a', observedAt: BASE + 20, value: 5, roomId: 'cellar' }),
				placed(6, { sensorId: 'a', observedAt: BASE + 20, value: 6, metric: 'humidity' }),
				placed(7, { sensorId: 'a', observedAt: BASE + 20, value: 7, buildingId: 'other' }),
			]);
			const { readings } = world.store;
			const values = async (range: { from: number; to: number }, limit = 100, sensorId?: string) =>
				(await readings.samples({ ...OF_HALL, ...(sensorId && { sensorId }) }, range, limit)).map(({ value }) => value);
			expect(await readings.samples(OF_HALL, { from: BASE, to: BASE + 15 }, 9)).toEqual([
				{ sensorId: 'a', observedAt: BASE + 10, value: 3 },
			]);
			expect(await values({ from: BASE, to: BASE + 100 })).toEqual([3, 2, 1, 4]);
			expect(await values({ from: BASE + 10, to: BASE + 30 })).toEqual([3, 2, 1]);
			expect(await values({ from: BASE, to: BASE + 100 }, 2)).toEqual([3, 2]);
			expect(await values({ from: BASE, to: BASE + 100 }, 100, 'b')).toEqual([1]);
			expect(await values({ from: BASE, to: BASE + 100 }, 100, 'nobody')).toEqual([]);
		});

		it('give the latest value per sensor, room and metric; at the same time the later position wins', async () => {
			await insert(world, [
				placed(1, { value: 1, observedAt: BASE + 1000 }),
				placed(3, { value: 3, observedAt: BASE + 1000 }),
			]);
			await insert(world, [
				placed(2, { value: 2, observedAt: BASE + 1000 }),
				placed(4, { value: 4, observedAt: BASE }),
				placed(5, { value: 5, metric: 'humidity', transport: 'serial' }),
				placed(6, { value: 6, buildingId: 'other' }),
			]);
			const all = await latest();
			expect(all).toHaveLength(2);
			expect(all).toContainEqual({
				roomId: 'hall',
				metric: 'temperature',
				sensorId: 't-1',
				value: 3,
				observedAt: BASE + 1000,
				transport: 'mqtt',
				unchangedSince: BASE + 1000,
			});
			expect(all).toContainEqual(expect.objectContaining({ metric: 'humidity', value: 5, transport: 'serial' }));
			expect(await latest('other')).toMatchObject([{ value: 6 }]);
			expect(await latest('nowhere')).toEqual([]);
		});

		it('give the bounds of the latest count, while they are reported', async () => {
			const count = { metric: 'peopleCount', unit: 'person' } as const;
			await insert(world, [placed(1, { ...count, value: 23, interval: { low: 19, high: 28 } })]);
			expect(await latest()).toMatchObject([{ value: 23, low: 19, high: 28 }]);
			await insert(world, [placed(2, { ...count, value: 0, interval: { low: 0, high: 0 }, observedAt: BASE + 5000 })]);
			expect(await latest()).toMatchObject([{ value: 0, low: 0, high: 0 }]);
			await insert(world, [placed(3, { ...count, value: 4, observedAt: BASE + 9000 })]);
			const [last] = await latest();
			expect(last).toMatchObject({ value: 4 });
			expect(last).not.toHaveProperty('low');
		});

		it('tell for how long the latest value counts as current, as long as its readings do', async () => {
			await insert(world, [placed(1, { freshFor: 900_000 }), placed(2, { freshFor: 840_000 })]);
			expect(await latest()).toMatchObject([{ value: 2, freshFor: 840_000 }]);
			await insert(world, [placed(3)]);
			expect((await latest())[0]).not.toHaveProperty('freshFor');
		});

		it('tell what people call a sensor and whether its value is clipped (P13), as its latest reading', async () => {
			await insert(world, [placed(1, { sensorName: '客厅', clipped: true })]);
			expect(await latest()).toMatchObject([{ sensorName: '客厅', clipped: true }]);
			await insert(world, [placed(2, { sensorName: 'Küche' }), placed(1, { sensorName: '客厅', clipped: true })]);
			const [renamed] = await latest();
			expect(renamed).toMatchObject({ sensorName: 'Küche', value: 2 });
			expect(renamed).not.toHaveProperty('clipped');
			await insert(world, [placed(3)]);
			expect((await latest())[0]).not.toHaveProperty('sensorName');
			await reopen(world);
			expect(await samplesOf(world)).toEqual([
				{ sensorId: 't-1', observedAt: BASE + 1000, value: 1, clipped: true },
				{ sensorId: 't-1', observedAt: BASE + 2000, value: 2 },
				{ sensorId: 't-1', observedAt: BASE + 3000, value: 3 },
			]);
		});

		it('keep with each sample how long it holds, where that is longer than usual (P13)', async () => {
			await insert(world, [
				placed(1, { freshFor: 900_000 }),
				placed(2, { freshFor: 300_000 }),
				placed(3),
				placed(4, { sensorId: 't-2', freshFor: 99 * 3600_000 }),
				placed(5, { sensorId: 't-3' }),
			]);
			const at = (n: number) => BASE + n * 1000;
			expect(await samplesOf(world)).toEqual([
				{ sensorId: 't-1', observedAt: at(1), value: 1, freshFor: 900_000 },
				{ sensorId: 't-1', observedAt: at(2), value: 2 },
				{ sensorId: 't-1', observedAt: at(3), value: 3 },
				{ sensorId: 't-2', observedAt: at(4), value: 4, freshFor: 3 * 3600_000 },
				{ sensorId: 't-3', observedAt: at(5), value: 5 },
			]);
			const last = async (from: number, to: number, sensorId?: string) =>
				(
					await world.store.readings.lastSamples(
						{ ...OF_HALL, ...(sensorId !== undefined && { sensorId }) },
						{ from: at(from), to: at(to) },
					)
				).map(({ value }) => value);
			expect(await last(0, 9)).toEqual([3, 4, 5]);
			expect(await last(1, 3)).toEqual([2]);
			expect(await last(0, 9, 't-2')).toEqual([4]);
			expect(await last(6, 9)).toEqual([]);
			expect(await world.store.readings.stalePeriods(OF_HALL, { from: BASE, to: BASE + 4 * 3600_000 })).toHaveLength(
				13,
			);
		});

		it('rank a reading no later than its receipt (P13), so that none outranks what is received later', async () => {
			const at = BASE + 20 * 3600_000;
			await insert(world, [
				placed(1, { value: 2, observedAt: at, receivedAt: BASE + 1000 }),
				placed(2, { value: 25, receivedAt: BASE + 2000 }),
			]);
			expect(await latest()).toMatchObject([{ value: 25, observedAt: BASE + 2000 }]);
			await insert(world, [placed(1, { value: 2, observedAt: at, receivedAt: BASE + 1000 })]);
			expect(await latest()).toMatchObject([{ value: 25 }]);
			expect((await samplesOf(world)).map(({ observedAt }) => observedAt)).toEqual([BASE + 1000, BASE + 2000]);
		});

		it('let a reading replace what an earlier version stored with a time ahead of its receipt', async () => {
			// As that version stored it: by the stated time.
			const ahead = BASE + 20 * 3600_000;
			await insert(world, [placed(1, { value: 2, observedAt: ahead, receivedAt: ahead })]);
			await insert(world, [placed(2, { value: 25, receivedAt: BASE + 2000 })]);
			expect(await latest()).toMatchObject([{ value: 25, observedAt: BASE + 2000, unchangedSince: BASE + 2000 }]);
			await insert(world, [placed(1, { value: 2, observedAt: ahead - 1, receivedAt: BASE + 1000 })]);
			expect(await latest()).toMatchObject([{ value: 25 }]);
		});

		it('tell since when a sensor has reported the same value', async () => {
			const says = (n: number, value: number, second: number) =>
				insert(world, [placed(n, { value, observedAt: BASE + second * 1000 })]);
			const since = async () => ((await latest())[0]!.unchangedSince - BASE) / 1000;
			await says(1, 20, 0);
			await says(2, 20, 10);
			expect(await since()).toBe(0);
			await says(3, 21, 20);
			await says(4, 21, 30);
			expect(await since()).toBe(20);
			await says(4, 21, 30);
			await says(2, 20, 10);
			await says(5, 19, 15);
			expect(await since()).toBe(20);
			await insert(world, [
				placed(6, { value: 21, observedAt: BASE + 40_000 }),
				placed(7, { value: 21, observedAt: BASE + 50_000 }),
			]);
			expect(await since()).toBe(20);
			// A late reading shows another value in between.
			await says(8, 22, 45);
			expect(await since()).toBe(50);
		});

		it('lead to the same state in any order, in any batches and with any repetitions', async () => {
			const arrival = fc.record({
				n: fc.integer({ min: 1, max: 30 }),
				second: fc.integer({ min: 0, max: 9 }),
				value: fc.integer({ min: 0, max: 3 }),
			});
			let run = 0;
			await fc.assert(
				fc.asyncProperty(
					fc.uniqueArray(arrival, { selector: ({ n }) => n, minLength: 1, maxLength: 15 }),
					fc.array(fc.array(fc.nat(), { maxLength: 8 }), { maxLength: 5 }),
					async (arrivals, picks) => {
						const buildingId = `run-${++run}`;
						const of = (one: (typeof arrivals)[number]) =>
							placed(one.n, {
								id: `${buildingId}-${one.n}`,
								buildingId,
								value: one.value,
								observedAt: BASE + one.second * ROLL_UP_MS,
							});
						for (const pick of picks) {
							await insert(
								world,
								pick.map((index) => of(arrivals[index % arrivals.length]!)),
							);
						}
						await insert(world, arrivals.map(of));
						const best = arrivals.reduce((a, b) =>
							b.second > a.second || (b.second === a.second && b.n > a.n) ? b : a,
						);
						expect(await latest(buildingId)).toMatchObject([
							{ value: best.value, observedAt: BASE + best.second * ROLL_UP_MS },
						]);
						const samples = await world.store.readings.samples(
							{ ...OF_HALL, buildingId },
							{ from: 0, to: BASE + 20 * ROLL_UP_MS },
							1000,
						);
						const plain = (all: { second: number; value: number }[]) =>
							all.map(({ second, value }) => `${second}:${value}`).sort();
						expect(
							plain(samples.map(({ observedAt, value }) => ({ second: (observedAt - BASE) / ROLL_UP_MS, value }))),
						).toEqual(plain(arrivals));
						const stale = await world.store.readings.stalePeriods(
							{ ...OF_HALL, buildingId },
							{ from: 0, to: BASE + 20 * ROLL_UP_MS },
						);
						expect(stale).toEqual(
							[...new Set(arrivals.map(({ second }) => BASE + second * ROLL_UP_MS))].sort((a, b) => a - b),
						);
					},
				),
				{ numRuns: RUNS },
			);
		});

		it('are removed with their room, and no others', async () => {
			await insert(world, [placed(1), placed(2, { roomId: 'attic' }), placed(3, { buildingId: 'other' })]);
			await world.store.readings.removeBuilding('museum', 'attic');
			expect(await latest()).toMatchObject([{ roomId: 'hall' }]);
			expect(await samplesOf(world)).toHaveLength(1);
			expect(await latest('other')).toHaveLength(1);
			const stale = await world.store.readings.nextStale(BASE * 2, 9);
			expect(stale.map(({ buildingId, roomId }) => `${buildingId}/${roomId}`).sort()).toEqual([
				'museum/hall',
				'other/hall',
			]);
		});

		it('are removed with their building, and no others', async () => {
			const other: Partial<Reading> = { buildingId: 'other' };
			await insert(world, [placed(1), placed(2), placed(3, other)]);
			await world.store.readings.removeBuilding('museum');
			expect(await latest()).toEqual([]);
			expect(await samplesOf(world)).toEqual([]);
			expect(await world.store.readings.stalePeriods(OF_HALL, { from: 0, to: BASE * 2 })).toEqual([]);
			expect(await latest('other')).toHaveLength(1);
			expect(await samplesOf(world, 'other')).toHaveLength(1);
			expect((await world.store.readings.nextStale(BASE * 2, 9)).map(({ buildingId }) => buildingId)).toEqual([
				'other',
			]);
			expect(await world.store.readings.progress('telemetry')).toBe('3');
			await insert(world, [placed(4)]);
			expect(await samplesOf(world)).toHaveLength(1);
			await world.store.readings.removeBuilding('nowhere');
		});
	});
}
