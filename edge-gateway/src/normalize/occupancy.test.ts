import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Occupancy } from './occupancy.ts';

const crossings = fc.record({ in: fc.nat(20), out: fc.nat(20) });

describe('how many people are in a room', () => {
	it('follows the crossings of all its doors, and never falls below 0', () => {
		fc.assert(
			fc.property(fc.array(crossings), (all) => {
				const occupancy = new Occupancy();
				let expected = 0;
				for (const one of all) {
					expected = Math.max(0, expected + one.in - one.out);
					expect(occupancy.apply('b', 'r', one).count).toBe(expected);
				}
				expect(occupancy.count('b', 'r')).toBe(all.length === 0 ? undefined : expected);
			}),
		);
	});

	it('is unknown, not 0, before the first crossing', () => {
		expect(new Occupancy().count('b', 'r')).toBeUndefined();
	});

	it('is as if they had not been, when crossings that could not be stored are taken back, in whatever order', () => {
		fc.assert(
			fc.property(fc.array(crossings), fc.array(fc.tuple(crossings, fc.nat()), { minLength: 1 }), (stored, failed) => {
				const occupancy = new Occupancy();
				for (const one of stored) occupancy.apply('b', 'r', one);
				const before = occupancy.count('b', 'r') ?? 0;
				const undos = failed.map(([one, place]) => ({ undo: occupancy.apply('b', 'r', one).undo, place }));
				for (const { undo } of undos.sort((a, b) => a.place - b.place)) undo();
				expect(occupancy.count('b', 'r')).toBe(before);
			}),
		);
	});

	it('is each room its own, also for rooms of the same name and names that look like members of objects', () => {
		const occupancy = new Occupancy();
		occupancy.apply('b1', 'hall', { in: 3, out: 0 });
		occupancy.apply('b2', 'hall', { in: 5, out: 0 });
		occupancy.apply('__proto__', 'constructor', { in: 7, out: 0 });
		expect([occupancy.count('b1', 'hall'), occupancy.count('b2', 'hall'), occupancy.count('__proto__', 'constructor')]).toEqual([3, 5, 7]);
	});

	it('is the same after it was written and read', () => {
		const occupancy = new Occupancy();
		occupancy.set('b1', 'hall', 3);
		occupancy.set('__proto__', 'x', 4);
		const restored = new Occupancy();
		restored.import(JSON.parse(JSON.stringify(occupancy.export())));
		expect([restored.count('b1', 'hall'), restored.count('__proto__', 'x')]).toEqual([3, 4]);
	});
});
