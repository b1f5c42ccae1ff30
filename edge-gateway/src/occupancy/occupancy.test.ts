import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Doors } from './doors.ts';
import { Occupancy } from './occupancy.ts';
import { type Change, MAX_ROOMS } from './room-count.ts';

const RECORD = { offset: 0, receivedAt: 0 };
const doors = new Doors({ doors: [{ sensorId: 'total', counter: 'cumulative', wrapAt: 256, perMinute: 10_000 }] });

const at = fc.integer({ min: 1, max: 20 }).map((minutes) => minutes * 60_000);
const direction = fc.constantFrom('in' as const, 'out' as const);
const crossings: fc.Arbitrary<Change> = fc.record({
	kind: fc.constant('crossings' as const),
	door: fc.constantFrom('a', 'b', '__proto__'),
	direction,
	count: fc.nat(20),
	at,
	receivedAt: fc.constant(20 * 60_000),
});
const changes: fc.Arbitrary<Change> = fc.oneof(
	{ weight: 5, arbitrary: crossings },
	{
		weight: 3,
		arbitrary: fc.record({
			kind: fc.constant('total' as const),
			door: fc.constant('total'),
			direction,
			total: fc.nat(255),
			boot: fc.constantFrom(undefined, 'x', 'y'),
			at,
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			kind: fc.constant('known' as const),
			why: fc.constantFrom('zeroing' as const, 'correction' as const),
			count: fc.nat(30),
			at,
		}),
	},
);
const apply = (occupancy: Occupancy, change: Change, place: [buildingId: string, roomId: string] = ['b', 'r']) =>
	occupancy.apply(...place, change, RECORD);
const crossing = (count: number, way: 'in' | 'out' = 'in'): Change => ({
	kind: 'crossings',
	door: 'a',
	direction: way,
	count,
	at: 1000,
	receivedAt: 9000,
});

describe('Occupancy', () => {
	it('follows the crossings of all doors of a room, and never falls below 0', () => {
		fc.assert(
			fc.property(fc.array(crossings), (all) => {
				const occupancy = new Occupancy();
				let expected = 0;
				for (const one of all) {
					if (one.kind !== 'crossings') continue;
					expected = Math.max(0, expected + (one.direction === 'in' ? one.count : -one.count));
					expect(apply(occupancy, one).count).toBe(expected);
				}
				expect(occupancy.count('b', 'r')).toBe(all.length === 0 ? undefined : expected);
			}),
		);
	});

	it('has no count, rather than 0, before the first crossing', () => {
		expect(new Occupancy().count('b', 'r')).toBeUndefined();
	});

	it('has an interval that contains the count, and that is empty when the count is known', () => {
		fc.assert(
			fc.property(fc.array(changes, { maxLength: 60 }), (all) => {
				const occupancy = new Occupancy(doors);
				for (const change of all) {
					const { count, interval } = apply(occupancy, change);
					expect(0 <= interval.low && interval.low <= count && count <= interval.high).toBe(true);
					expect(Number.isInteger(interval.low) && Number.isInteger(interval.high)).toBe(true);
					if (change.kind === 'known') expect(interval).toEqual({ low: change.count, high: change.count });
				}
			}),
		);
	});

	it('undoes changes that could not be stored, in whatever order the outcomes become known', () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(changes, fc.boolean(), fc.nat()), { maxLength: 40 }), (all) => {
				const occupancy = new Occupancy(doors);
				const outcomes = all.map(([change, fails, place]) => ({ applied: apply(occupancy, change), fails, place }));
				for (const { applied, fails } of outcomes.sort((a, b) => a.place - b.place))
					fails ? applied.undo() : applied.stored();
				const without = new Occupancy(doors);
				for (const [change, fails] of all) if (!fails) apply(without, change).stored();
				expect(occupancy.room('b', 'r')).toEqual(without.room('b', 'r'));
			}),
		);
	});

	it('continues at once from the state without a change that is undone', () => {
		const occupancy = new Occupancy();
		apply(occupancy, crossing(5)).stored();
		const failed = apply(occupancy, crossing(3));
		const waiting = apply(occupancy, crossing(1));
		failed.undo();
		expect(occupancy.count('b', 'r')).toBe(6);
		expect(apply(occupancy, crossing(2)).count).toBe(8);
		waiting.undo();
		expect(occupancy.count('b', 'r')).toBe(7);
	});

	it('counts each room separately, also rooms of the same name and names such as __proto__', () => {
		const occupancy = new Occupancy();
		apply(occupancy, crossing(3), ['b1', 'hall']);
		apply(occupancy, crossing(5), ['b2', 'hall']);
		apply(occupancy, crossing(7), ['__proto__', 'constructor']);
		expect([
			occupancy.count('b1', 'hall'),
			occupancy.count('b2', 'hall'),
			occupancy.count('__proto__', 'constructor'),
		]).toEqual([3, 5, 7]);
	});

	it('restores an exported state, and continues from it in the same way', () => {
		fc.assert(
			fc.property(fc.array(changes, { maxLength: 30 }), fc.array(changes, { maxLength: 10 }), (before, after) => {
				const occupancy = new Occupancy(doors);
				for (const change of before) apply(occupancy, change).stored();
				const restored = new Occupancy(doors);
				restored.import(JSON.parse(JSON.stringify(occupancy.export())));
				expect(restored.room('b', 'r')).toEqual(occupancy.room('b', 'r'));
				for (const change of after) expect(apply(restored, change).interval).toEqual(apply(occupancy, change).interval);
			}),
		);
	});

	it('keeps a bounded state of a room, however many doors it has', () => {
		const occupancy = new Occupancy();
		for (let door = 0; door < 200; door++)
			apply(occupancy, {
				kind: 'crossings',
				door: `door-${door}`,
				direction: 'in',
				count: 1,
				at: 1000,
				receivedAt: 1000,
			}).stored();
		const room = occupancy.room('b', 'r')!;
		expect(room.count).toBe(200);
		expect(Object.keys(room.traffic).length).toBeLessThanOrEqual(66);
		apply(occupancy, { kind: 'known', why: 'correction', count: 190, at: 2000 }).stored();
		for (let door = 0; door < 200; door++)
			apply(occupancy, {
				kind: 'crossings',
				door: `other-${door}`,
				direction: 'in',
				count: 1,
				at: 3000,
				receivedAt: 3000,
			}).stored();
		for (let night = 1; night < 5; night++) {
			apply(occupancy, { kind: 'known', why: 'correction', count: 100, at: night * 4000 }).stored();
			for (let door = 0; door < 20; door++) {
				const at = night * 4000 + 1;
				apply(occupancy, {
					kind: 'crossings',
					door: `night-${night}-${door}`,
					direction: 'in',
					count: 1,
					at,
					receivedAt: at,
				}).stored();
			}
			expect(occupancy.room('b', 'r')!.belief.legs.length).toBeLessThanOrEqual(66);
		}
		// There is space for new doors again.
		expect(Object.keys(occupancy.room('b', 'r')!.traffic)).toContain('night-4-19 in');
	});

	it('does not count late crossings from before the room was zeroed', () => {
		const occupancy = new Occupancy();
		apply(occupancy, { ...crossing(5), at: 1000 } as Change);
		apply(occupancy, { kind: 'known', why: 'zeroing', count: 0, at: 5000 });
		expect(apply(occupancy, { ...crossing(3), at: 4000 } as Change)).toMatchObject({
			count: 0,
			detected: 'late',
			interval: { low: 0, high: 0 },
		});
		expect(apply(occupancy, { ...crossing(3), at: 6000 } as Change)).toMatchObject({ count: 3, in: 3 });
	});
});
describe('P13 right in meaning: the count of a room whose door counts from its start', () => {
	const total = (value: number, minute: number, way: 'in' | 'out' = 'in'): Change => ({
		...{ kind: 'total', door: 'total', direction: way, total: value, boot: undefined, at: minute * 60_000 },
	});
	const lifelong = new Doors({ doors: [{ sensorId: 'total', counter: 'cumulative', bias: 0, missRate: 0 }] });

	it('counts nobody for the third of 990, 1000, 998 and 1003, and three to five for the fourth', () => {
		const occupancy = new Occupancy(lifelong);
		const effects = [990, 1000, 998, 1003].map((value, n) => apply(occupancy, total(value, 10 * n)));
		expect(effects.map(({ in: entered, count, detected }) => [entered, count, detected])).toEqual([
			[0, 0, 'first'],
			[10, 10, undefined],
			[0, 10, 'unsure'],
			[3, 13, undefined],
		]);
		expect(effects[2]!.interval).toEqual({ low: 10, high: 10 });
		expect(effects[3]!.interval).toEqual({ low: 13, high: 15 });
	});

	it('may be lower where those who left are in doubt, and is sure again when the count is known', () => {
		const occupancy = new Occupancy(lifelong);
		apply(occupancy, { kind: 'known', why: 'correction', count: 40, at: 0 });
		for (const [n, value] of [990, 1000, 998, 1003].entries()) apply(occupancy, total(value, 10 * n, 'out'));
		expect(occupancy.room('b', 'r')!.interval).toEqual({ low: 25, high: 27 });
		expect(occupancy.count('b', 'r')).toBe(27);
		apply(occupancy, { kind: 'known', why: 'correction', count: 26, at: 3600_000 });
		expect(occupancy.room('b', 'r')!.interval).toEqual({ low: 26, high: 26 });
	});
});

describe('P14 the count of a room that was removed', () => {
	it('is forgotten once all of it is on disk, and is none of the room that has its id now', () => {
		const over = new Set<string>();
		const occupancy = new Occupancy(new Doors(), undefined, (buildingId, roomId) =>
			over.has(`${buildingId}/${roomId}`),
		);
		const change = apply(occupancy, crossing(7), ['b', 'hall/1']);
		apply(occupancy, crossing(2), ['b', 'lab/1']).stored();
		over.add('b/hall/1');
		expect(occupancy.rooms()).toEqual([{ buildingId: 'b', roomId: 'lab/1' }]);
		// A change under way may still be undone.
		expect(Object.keys(occupancy.export())).toEqual(['b/hall/1', 'b/lab/1']);
		change.stored();
		expect(Object.keys(occupancy.export())).toEqual(['b/lab/1']);
		expect(occupancy.count('b', 'hall/1')).toBeUndefined();
		expect(apply(occupancy, crossing(1), ['b', 'hall/2']).count).toBe(1);
	});
});

describe('Occupancy, with ever new rooms,', () => {
	it('counts a bounded number: forgets empty rooms first, then rooms of the building with the most', () => {
		const occupancy = new Occupancy();
		const put = (buildingId: string, roomId: string, count: number) =>
			apply(occupancy, { kind: 'known', why: 'correction', count, at: 1000 }, [buildingId, roomId]).stored();
		put('honest', 'full', 7);
		put('honest', 'empty', 0);
		for (let i = 0; i < 2 * MAX_ROOMS; i++) {
			put('flood', `${i}`, 1);
			if (i % 1000 === 0) expect(occupancy.rooms().length).toBeLessThanOrEqual(MAX_ROOMS);
		}
		expect(occupancy.rooms().length).toBeLessThanOrEqual(MAX_ROOMS);
		expect(occupancy.count('honest', 'full')).toBe(7);
		expect(occupancy.count('honest', 'empty')).toBeUndefined();
		expect(occupancy.count('flood', `${2 * MAX_ROOMS - 1}`)).toBe(1);
	});
});
