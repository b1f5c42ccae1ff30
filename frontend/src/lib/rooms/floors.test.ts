import type { Room } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { byFloor } from './floors.ts';

const room = (id: string, floor?: Room['floor']): Room => ({
	id,
	capacity: 1,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 1, height: 1, depth: 1 },
	...(floor !== undefined && { floor }),
});

describe('rooms by floor', () => {
	it('start at the lowest numbered floor, then come named floors, then rooms without a floor', () => {
		const floors = byFloor([
			room('a', 'Roof'),
			room('b', 2),
			room('c'),
			room('d', -1),
			room('e', 10),
			room('f', 'Annex'),
		]);
		expect(floors.map(({ floor }) => floor)).toEqual([-1, 2, 10, 'Annex', 'Roof', undefined]);
	});

	it('keep the order of the building inside a floor', () => {
		const floors = byFloor([room('z', 0), room('b', 1), room('a', 0), room('m', 0)]);
		expect(floors[0]?.rooms.map(({ id }) => id)).toEqual(['z', 'a', 'm']);
	});

	it('keep a floor named "1" apart from floor 1', () => {
		expect(byFloor([room('a', 1), room('b', '1')])).toHaveLength(2);
	});
});
