import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SensorValue } from '../api/http.ts';
import { roomValue } from '../api/room-value.ts';
import { buildingProblems } from '../building/building.ts';
import type { RoomCombine } from './combine.ts';
import { FRESHNESS_MS } from './freshness.ts';
import { BUILT_IN_METRICS, MetricCatalog } from './metric-catalog.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const sensor = (sensorId: string, value: number, age = 0, more: Partial<SensorValue> = {}): SensorValue => ({
	...{ sensorId, value, observedAt: NOW - age },
	...more,
});
const people = (combine: RoomCombine | undefined, ...sensors: SensorValue[]) =>
	roomValue('peopleCount', sensors, NOW, BUILT_IN_METRICS, combine);
const SUM: RoomCombine = { peopleCount: 'sum' };
const SILENT = FRESHNESS_MS + 1;

describe('P14 several counters of one room', () => {
	it('are added up where the room says so: 7 and 8 people are 15', () => {
		expect(people(SUM, sensor('east', 7), sensor('west', 8))).toMatchObject({
			value: 15,
			stale: false,
			combined: { rule: 'sum', counters: 2 },
		});
	});

	it('stay as the catalog combines them without a word of the room', () => {
		const value = people(undefined, sensor('east', 7, 1000), sensor('west', 8));
		expect(value).toMatchObject({ value: 8, sensorId: 'west' });
		expect(value).not.toHaveProperty('combined');
		expect(people({ co2: 'max' }, sensor('east', 7, 1000), sensor('west', 8))).toEqual(value);
	});

	it.each([
		['last', 3],
		['max', 9],
		['sum', 12],
	] as const)('give by %s the value %i of 9 and, newer, 3', (rule, expected) => {
		expect(people({ peopleCount: rule }, sensor('a', 9, 1000), sensor('b', 3))).toMatchObject({
			value: expected,
			combined: { rule, counters: 2 },
		});
	});

	it('make an incomplete sum when one is silent or offline, which says so and has no upper bound', () => {
		const doors = { low: 4, high: 9 };
		expect(people(SUM, sensor('east', 7, SILENT), sensor('west', 8))).toMatchObject({
			value: 8,
			stale: false,
			combined: { counters: 2, silent: ['east'] },
		});
		const value = people(SUM, sensor('east', 7, 0, doors), sensor('west', 8, 1000, { offlineAt: NOW }));
		expect(value).toMatchObject({ value: 7, combined: { silent: ['west'] } });
		expect(value).not.toHaveProperty('high');
		expect(people(SUM, sensor('east', 7), sensor('west', 8))?.combined).not.toHaveProperty('silent');
	});

	it('give their last sum, out of date, when all are silent', () => {
		expect(people(SUM, sensor('east', 7, SILENT), sensor('west', 8, SILENT))).toMatchObject({
			value: 15,
			stale: true,
			combined: { silent: ['east', 'west'] },
		});
	});

	it('are those that the room names: others do not count, and one that was never heard is missing', () => {
		const combine: RoomCombine = { peopleCount: { rule: 'sum', sensors: ['east', 'new'] } };
		expect(people(combine, sensor('east', 7), sensor('replaced', 8, SILENT))).toMatchObject({
			value: 7,
			combined: { counters: 2, silent: ['new'] },
		});
		expect(people(combine, sensor('replaced', 8))).toBeUndefined();
	});

	it('take all doors of the room, their corrections and zeroings as one counter, with its interval', () => {
		const doors = [
			sensor('door-1', 5, 3000, { low: 4, high: 6 }),
			sensor('door-2', 6, 2000, { low: 4, high: 8 }),
			sensor('operator:ada', 3, 1000, { low: 3, high: 3 }),
		];
		expect(people(SUM, ...doors, sensor('camera', 4))).toMatchObject({
			...{ value: 7, low: 7, high: 7 },
			combined: { counters: 2 },
		});
		expect(people(SUM, ...doors.slice(0, 2), sensor('camera', 4))).toMatchObject({ value: 10, low: 8, high: 12 });
		const named: RoomCombine = { peopleCount: { rule: 'sum', sensors: ['door-2', 'camera'] } };
		expect(people(named, ...doors, sensor('camera', 4), sensor('other', 50))).toMatchObject({ value: 7 });
	});

	it('make at every moment the sum of those that are current, in any order, through deaths and returns', () => {
		const spoken = fc.record({
			sensorId: fc.constantFrom('a', 'b', 'c', 'd'),
			at: fc.integer({ min: 0, max: 60 }),
			value: fc.nat(50),
		});
		const died = fc.record({ sensorId: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.integer({ min: 0, max: 60 }) });
		fc.assert(
			fc.property(
				fc.uniqueArray(spoken, { selector: ({ sensorId, at }) => `${sensorId} ${at}`, maxLength: 40 }),
				fc.array(died, { maxLength: 6 }),
				fc.integer({ min: 0, max: 80 }),
				fc.func(fc.integer()),
				(said, deaths, minute, order) => {
					const now = NOW + minute * MINUTE;
					const parts = ['a', 'b', 'c', 'd'].flatMap((sensorId): SensorValue[] => {
						const last = said
							.filter((one) => one.sensorId === sensorId && one.at <= minute)
							.toSorted((x, y) => x.at - y.at)
							.at(-1);
						if (!last) return [];
						const death = deaths.filter((one) => one.sensorId === sensorId && one.at <= minute).map(({ at }) => at);
						const offlineAt = death.length > 0 ? { offlineAt: NOW + Math.max(...death) * MINUTE } : {};
						return [{ sensorId, value: last.value, observedAt: NOW + last.at * MINUTE, ...offlineAt }];
					});
					const shuffled = parts.toSorted((x, y) => order(x.sensorId) - order(y.sensorId));
					const value = roomValue('peopleCount', shuffled, now, BUILT_IN_METRICS, SUM);
					const lives = ({ observedAt, offlineAt = 0 }: SensorValue) =>
						now - observedAt <= FRESHNESS_MS && offlineAt <= observedAt;
					const living = parts.filter(lives);
					const silent = parts.filter((part) => !lives(part)).map(({ sensorId }) => sensorId);
					if (parts.length === 0) {
						expect(value).toBeUndefined();
						return;
					}
					expect(value?.stale).toBe(living.length === 0);
					const sum = (some: SensorValue[]) => some.reduce((total, part) => total + part.value, 0);
					expect(value?.value).toBe(sum(living.length > 0 ? living : parts));
					expect(value?.combined?.silent ?? []).toEqual(silent);
				},
			),
		);
	});

	it.each([
		[{ peopleCount: 'mean' }, '/rooms/0/combine/peopleCount'],
		[{ peopleCount: { rule: 'sum', sensors: [] } }, '/rooms/0/combine/peopleCount'],
		[{ peopleCount: { rule: 'sum', sensors: ['a', 'a'] } }, '/rooms/0/combine/peopleCount'],
		[{ peopleCount: { rule: 'sum' } }, '/rooms/0/combine/peopleCount'],
		[{ peoples: 'sum' }, '/rooms/0/combine/peoples'],
		[{ constructor: 'sum' }, '/rooms/0/combine/constructor'],
		[{ peopleIn: 'last' }, '/rooms/0/combine/peopleIn'],
		['sum', '/rooms/0/combine'],
	])('are refused as %j with the place of the mistake', (combine, path) => {
		const room = { id: 'hall', capacity: 10, position: { x: 0, y: 0, z: 0 } };
		const building = { id: 'b', rooms: [{ ...room, dimensions: { width: 1, height: 1, depth: 1 }, combine }] };
		const problems = buildingProblems(building);
		expect(problems.map((problem) => problem.path)).toContain(path);
		expect(problems.map(({ message }) => message).join()).not.toContain('undefined');
	});

	it('may be of a metric that a configuration defines', () => {
		const catalog = new MetricCatalog([{ key: 'power', unit: 'W', min: 0, max: 1e6 }]);
		const sensors = [sensor('a', 100), sensor('b', 250)];
		expect(roomValue('power', sensors, NOW, catalog, { power: 'sum' })).toMatchObject({ value: 350, unit: 'W' });
	});
});
