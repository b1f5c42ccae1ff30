import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import type { BuildingDocument } from '../store.ts';
import { recombined, validBuilding } from './building-document.ts';

const DECOMPOSED = 'Ku\u0308che';
const room = (id: string, more: object = {}) => ({
	...{ id, capacity: 1, position: { x: 0, y: 0, z: 0 }, dimensions: { width: 1, height: 1, depth: 1 } },
	...more,
});
const building = (...rooms: ReturnType<typeof room>[]): BuildingDocument => ({
	...{ id: 'b', name: 'B', domains: ['d'], thresholds: { building: {}, rooms: {} } },
	rooms,
});
const summary = ({ id, name, domains, rooms }: BuildingDocument) => ({ id, name, domains, rooms });

describe('P14 names: a building that an earlier version took', () => {
	const before = summary(building(room(DECOMPOSED), room(' ', { name: ' ' })));

	it('keeps its ids and names when something else of it changes', () => {
		const after = { ...before, name: 'C' };
		expect(validBuilding(after, BUILT_IN_METRICS, before)).toBe(after);
		expect(() => validBuilding(after, BUILT_IN_METRICS)).toThrow(/\/rooms\/0\/id|\/rooms\/1\/name/);
	});

	it('takes no further ones of that kind', () => {
		const after = { ...before, rooms: [...before.rooms, room('hall ', { name: '\u200b' })] };
		expect(() => validBuilding(after, BUILT_IN_METRICS, before)).toThrow(/^\/rooms\/2\/name must be a name/);
	});
});

describe('P14 several counters of one room: a change of a building', () => {
	it('names the metrics of rooms whose history is to be computed again', () => {
		const sum = (...metrics: string[]) => ({ combine: Object.fromEntries(metrics.map((metric) => [metric, 'sum'])) });
		const before = building(room('same', sum('co2')), room('other', sum('co2', 'noise')), room('gone', sum('co2')));
		const after = building(
			room('same', { ...sum('co2'), capacity: 9 }),
			room('other', { combine: { co2: 'max', noise: 'sum', peopleCount: 'last' } }),
		);
		expect(recombined(before, after)).toEqual([
			{ roomId: 'other', metric: 'co2' },
			{ roomId: 'other', metric: 'peopleCount' },
		]);
		expect(recombined(after, before).map(({ roomId }) => roomId)).toEqual(['other', 'other', 'gone']);
	});
});
