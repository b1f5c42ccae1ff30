import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGGREGATES, BUILT_IN_METRICS, freshMs, type MetricKey, type RoomCombine } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { openStores, type Readings, ROLL_UP_MS, type Sample, type Store, type Stores } from '@crowdvision/store';
import { readingOf } from '@crowdvision/testing/service-world';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onEachEngine } from '../testing/museum.ts';
import { referenceValue } from '../testing/reference.ts';
import { history } from './history.ts';
import { parseHistoryQuery } from './history-query.ts';
import { rollUpStale } from './roll-up.ts';

const HOUR = 3600_000;
const MINUTE = 60_000;
/** The night in Rome in which the clocks go back. */
const BEGIN = Date.parse('2026-10-24T22:00:00Z');
const SPAN = 8 * HOUR;

let dataDir: string;
let stores: Stores;
let store: Store;
let readings: Readings;
let lastBuilding = 0;

function useReadings(mongoUrl?: () => string): void {
	beforeAll(async () => {
		dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-history-'));
		stores = await openStores({ dataDir, mongoUrl: mongoUrl?.(), logger: createLogger('test', 'silent') });
		store = await stores.open('twin', { collections: {}, readings: { readingsMs: 1e12, rollUpsMs: 1e12 } });
		readings = store.readings;
	});
	afterAll(async () => {
		await stores.close();
		await rm(dataDir, { recursive: true, force: true });
	});
}

/** A new building with one hall. */
const newBuilding = (timeZone = 'Europe/Rome', combine?: RoomCombine) => {
	const dimensions = { width: 1, height: 1, depth: 1 };
	return {
		id: `b${++lastBuilding}`,
		timeZone,
		rooms: [{ id: 'hall', capacity: 1, position: { x: 0, y: 0, z: 0 }, dimensions, ...(combine && { combine }) }],
	};
};

let position = 0;
async function insert(buildingId: string, metric: MetricKey, samples: readonly Sample[]): Promise<void> {
	if (samples.length === 0) return;
	const batch = samples.map((sample) => ({
		reading: readingOf({ ...sample, buildingId, roomId: 'hall', metric }),
		position: String(++position),
	}));
	await readings.insert(
		batch,
		{ stream: 'telemetry', position: String(position) },
		{ holdMs: freshMs(metric), after: (a, b) => Number(a) > Number(b) },
	);
}

async function rollUpAll(before: number, combine?: RoomCombine): Promise<void> {
	const combineOf = async () => combine;
	while ((await rollUpStale(readings, before, 100, BUILT_IN_METRICS, { combineOf })) > 0);
}

onEachEngine((mongoUrl) => {
	useReadings(mongoUrl);

	describe('P9 history', () => {
		/** Moments that often coincide, so that sensors report together and samples fall on bucket edges. */
		const moment = fc.oneof(
			fc.integer({ min: 0, max: SPAN / MINUTE }).map((n) => n * MINUTE),
			fc.integer({ min: 0, max: SPAN }),
		);
		/** Moments close together, so that several samples apply at once. */
		const sampled = fc.oneof(
			moment,
			fc.tuple(fc.nat(8), fc.nat(10)).map(([cluster, minute]) => (cluster * 25 + minute) * MINUTE),
		);
		/** How long the values of a sensor hold, as its gateway states. */
		const HOLDS: Record<string, object> = { a: {}, b: { freshFor: 40 * MINUTE }, c: { freshFor: 150 * MINUTE } };
		const sample = fc
			.record({
				sensorId: fc.constantFrom('a', 'b', 'c'),
				observedAt: sampled.map((at) => BEGIN + at),
				value: fc.integer({ min: 0, max: 100 }),
				isClipped: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
			})
			.map(
				({ isClipped, ...one }): Sample => ({
					...one,
					...HOLDS[one.sensorId],
					...(isClipped && { clipped: true as const }),
				}),
			);
		// Without two samples of a sensor at the same moment: either may be the last one.
		const samples = fc.uniqueArray(sample, {
			maxLength: 60,
			selector: ({ sensorId, observedAt }) => `${sensorId} ${observedAt}`,
		});
		const query = fc.record({
			from: moment.map((at) => BEGIN + at - HOUR),
			span: fc.integer({ min: 1, max: SPAN }),
			bucket: fc.constantFrom('5m', '15m', '20m', '1h', '3h', '1d', '1w'),
			agg: fc.constantFrom(...AGGREGATES),
			sensor: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
			now: moment.map((at) => BEGIN + at),
		});
		const metric = fc.constantFrom<MetricKey>('peopleCount', 'temperature', 'co2', 'battery');
		/** As the room says: counters that are named, so that also one that is heard of late was always one. */
		const ofRoom = fc.option(
			fc.constantFrom(
				...[
					{ rule: 'sum' as const, sensors: ['a', 'b', 'c'] },
					{ rule: 'sum' as const, sensors: ['b', 'd'] },
				],
				...[{ rule: 'max' as const, sensors: ['a', 'c'] }, 'max' as const, 'last' as const],
			),
			{ nil: undefined },
		);

		it('equals the time-weighted live view, from roll-ups, samples or both, also after late readings', async () => {
			await fc.assert(
				fc.asyncProperty(
					metric,
					ofRoom,
					samples,
					samples,
					moment,
					fc.array(query, { minLength: 1, maxLength: 4 }),
					async (metric, rule, early, late, rolledTo, queries) => {
						const combine = rule && { [metric]: rule };
						const building = newBuilding('Europe/Rome', combine);
						const named = typeof rule === 'object' ? new Set(rule.sensors) : undefined;
						const present = new Set(early.map(({ sensorId, observedAt }) => `${sensorId} ${observedAt}`));
						const more = late
							.filter(({ sensorId, observedAt }) => !present.has(`${sensorId} ${observedAt}`))
							.slice(0, 10);
						const known = [...early];
						const check = async () => {
							known.sort((a, b) => a.observedAt - b.observedAt);
							for (const { from, span, bucket, agg, sensor, now } of queries) {
								const asked = parseHistoryQuery(
									building,
									{ room: 'hall', metric, agg, bucket, sensor, from: String(from), to: String(from + span) },
									now,
									BUILT_IN_METRICS,
								);
								const points = await history(readings, asked, now, BUILT_IN_METRICS);
								for (const [n, { start, end }] of asked.buckets.entries()) {
									const window = { start: Math.max(start, from), end: Math.min(end, from + span, now) };
									const of = known.filter(({ sensorId }) =>
										sensor === undefined ? !named || named.has(sensorId) : sensorId === sensor,
									);
									const { value, knownMs, incompleteMs, clipped }: ReturnType<typeof referenceValue> =
										window.start < window.end
											? referenceValue(metric, of, window, agg, sensor === undefined ? combine : undefined)
											: { value: agg === 'count' ? 0 : null, knownMs: 0, incompleteMs: 0 };
									expect(points[n]!.at).toBe(start);
									expect(points[n]!.coverage).toBeCloseTo(knownMs / (end - start), 9);
									expect(points[n]!.incomplete ?? 0).toBeCloseTo(incompleteMs / (end - start), 9);
									expect(points[n]!.clipped ?? false).toBe(clipped ?? false);
									if (value === null) expect(points[n]!.value).toBeNull();
									else expect(points[n]!.value).toBeCloseTo(value, 6);
								}
							}
						};
						await insert(building.id, metric, early);
						await check();
						await rollUpAll(BEGIN + rolledTo, combine);
						await check();
						await insert(building.id, metric, more);
						known.push(...more);
						await check();
						await rollUpAll(BEGIN + SPAN + 2 * HOUR, combine);
						await check();
						await readings.removeBuilding(building.id);
					},
				),
				{ numRuns: mongoUrl ? 10 : 60 },
			);
		});

		it('reads samples only where no roll-up covers the time', async () => {
			const building = newBuilding();
			const minutes = Array.from(
				{ length: 8 * 60 },
				(_, n): Sample => ({ sensorId: 'a', observedAt: BEGIN + n * MINUTE, value: n % 60 }),
			);
			await insert(building.id, 'co2', minutes);
			await rollUpAll(BEGIN + SPAN + HOUR);
			const read: number[] = [];
			const watched = new Proxy(readings, {
				get: (target, name) => {
					if (name !== 'samples') return Reflect.get(target, name).bind(target);
					return async (...args: Parameters<Readings['samples']>) => {
						const page = await target.samples(...args);
						read.push(page.length);
						return page;
					};
				},
			});
			const hours = parseHistoryQuery(
				building,
				{ metric: 'co2', room: 'hall', from: String(BEGIN), to: String(BEGIN + SPAN) },
				BEGIN + SPAN,
				BUILT_IN_METRICS,
			);
			const points = await history(watched, hours, BEGIN + SPAN, BUILT_IN_METRICS);
			expect(points.map(({ value }) => value)).toEqual(Array.from({ length: 8 }, () => 29.5));
			expect(read).toEqual([]);
			// A range that ends a minute from both edges reads the samples of those two quarter-hours only.
			const edges = { ...hours, from: BEGIN + MINUTE, to: BEGIN + SPAN - MINUTE };
			await history(watched, edges, BEGIN + SPAN, BUILT_IN_METRICS);
			expect(read.reduce((total, n) => total + n, 0)).toBeLessThanOrEqual((2 * (ROLL_UP_MS + freshMs('co2'))) / MINUTE);
		});

		it('adds up each event of a flow metric once, from samples and from roll-ups', async () => {
			const building = newBuilding('UTC');
			const crossings = [0, 1, 14, 16, 59, 60].map(
				(minute, n): Sample => ({ sensorId: n % 2 ? 'in' : 'out', observedAt: BEGIN + minute * MINUTE, value: n + 1 }),
			);
			await insert(building.id, 'peopleIn', crossings);
			const of = async (agg: string) => {
				const query = parseHistoryQuery(
					building,
					{ metric: 'peopleIn', agg, from: String(BEGIN), to: String(BEGIN + 3 * HOUR) },
					BEGIN + 3 * HOUR,
					BUILT_IN_METRICS,
				);
				return (await history(readings, query, BEGIN + 3 * HOUR, BUILT_IN_METRICS)).map(({ value }) => value);
			};
			for (const rolled of [false, true]) {
				if (rolled) await rollUpAll(BEGIN + 4 * HOUR);
				expect(await of('sum')).toEqual([15, 6, null]);
				expect(await of('avg')).toEqual([3, 6, null]);
				expect(await of('max')).toEqual([5, 6, null]);
				expect(await of('last')).toEqual([5, 6, null]);
				expect(await of('count')).toEqual([5, 1, 0]);
			}
		});

		it('does not extend a value into the future', async () => {
			const building = newBuilding();
			await insert(building.id, 'co2', [{ sensorId: 'a', observedAt: BEGIN, value: 500 }]);
			const now = BEGIN + MINUTE;
			const query = parseHistoryQuery(
				building,
				{ metric: 'co2', bucket: '5m', from: String(BEGIN), to: String(BEGIN + 10 * MINUTE) },
				now,
				BUILT_IN_METRICS,
			);
			expect(await history(readings, query, now, BUILT_IN_METRICS)).toEqual([
				{ at: BEGIN, value: 500, coverage: 0.2 },
				{ at: BEGIN + 5 * MINUTE, value: null, coverage: 0 },
			]);
		});

		it('has no gaps where a sensor sends rarely, from roll-ups and from samples (P13)', async () => {
			const building = newBuilding();
			const every = (sensorId: string, freshFor: number) =>
				Array.from({ length: 12 }, (_, n) => ({
					...{ sensorId, observedAt: BEGIN + n * 10 * MINUTE, value: 400 + n, freshFor },
				}));
			await insert(building.id, 'co2', every('stated', 25 * MINUTE));
			const now = BEGIN + 4 * HOUR;
			const coverage = async () => {
				const range = { from: String(BEGIN), to: String(BEGIN + 3 * HOUR) };
				const of = { room: 'hall', metric: 'co2', bucket: '15m', ...range };
				const query = parseHistoryQuery(building, of, now, BUILT_IN_METRICS);
				return (await history(readings, query, now, BUILT_IN_METRICS)).map((point) => point.coverage);
			};
			// The last is of 110 minutes and holds until 135.
			const expected = [...Array(9).fill(1), 0, 0, 0];
			expect(await coverage()).toEqual(expected);
			await rollUpAll(now);
			expect(await coverage()).toEqual(expected);
			// A later one that holds no longer than usual takes its place: from minute 115 to 120.
			await insert(building.id, 'co2', [{ sensorId: 'stated', observedAt: BEGIN + 115 * MINUTE, value: 500 }]);
			await rollUpAll(now);
			expect((await coverage()).slice(7)).toEqual([1, 0, 0, 0, 0]);
		});

		it('marks the time in which a clipped value held, from roll-ups and from samples (P13)', async () => {
			const building = newBuilding();
			const at = (minute: number) => BEGIN + minute * MINUTE;
			await insert(building.id, 'humidity', [
				{ sensorId: 'wet', observedAt: at(5), value: 100, clipped: true, freshFor: 25 * MINUTE },
				{ sensorId: 'wet', observedAt: at(50), value: 97 },
				{ sensorId: 'dry', observedAt: at(50), value: 40 },
			]);
			const marks = async (sensor?: string) => {
				const of = { room: 'hall', metric: 'humidity', bucket: '15m', sensor, from: String(BEGIN), to: String(at(60)) };
				const query = parseHistoryQuery(building, of, at(240), BUILT_IN_METRICS);
				return (await history(readings, query, at(240), BUILT_IN_METRICS)).map(({ clipped }) => clipped ?? false);
			};
			const expected = [true, true, false, false];
			expect(await marks()).toEqual(expected);
			await rollUpAll(at(240));
			expect(await marks()).toEqual(expected);
			expect(await marks('wet')).toEqual(expected);
			expect(await marks('dry')).toEqual([false, false, false, false]);
		});

		it('refuses a query that would read too much, naming the parameter', async () => {
			const building = newBuilding();
			const rooms = Array.from({ length: 2000 }, (_, n) => ({ ...building.rooms[0]!, id: `room-${n}` }));
			const some = rooms.map(({ id }) =>
				readingOf({ buildingId: building.id, roomId: id, metric: 'co2', value: 1, observedAt: BEGIN }),
			);
			const batch = some.map((reading) => ({ reading, position: String(++position) }));
			await readings.insert(
				batch,
				{ stream: 'telemetry', position: String(position) },
				{ holdMs: freshMs('co2'), after: () => true },
			);
			const query = { metric: 'co2', bucket: '1d', from: String(BEGIN - 365 * 24 * HOUR), to: String(BEGIN) };
			const asked = parseHistoryQuery({ ...building, rooms }, query, BEGIN, BUILT_IN_METRICS);
			await expect(history(readings, asked, BEGIN, BUILT_IN_METRICS)).rejects.toMatchObject({
				code: 'invalid',
				details: { path: '/from' },
			});
		});
	});
});
