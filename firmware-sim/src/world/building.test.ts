import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedBuilding } from './building.ts';
import type { RoomState } from './room.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MIDNIGHT = Date.UTC(2026, 10, 23);
const rooms = [
	{ id: 'hall', capacity: 120 },
	{ id: 'lab', capacity: 30 },
	{ id: 'canteen', capacity: 80 },
	{ id: 'foyer', capacity: 40 },
];

/** Every state of every room in 24 hours, minute by minute. */
function aDay(seed: number): Map<string, RoomState[]> {
	const building = new SimulatedBuilding({ id: 'b', rooms }, seed);
	const minutes = Array.from({ length: 24 * 60 }, (_, minute) => MIDNIGHT + minute * MINUTE);
	return new Map(rooms.map(({ id }) => [id, minutes.map((now) => ({ ...building.room(id, now) }))]));
}

describe('a simulated building', () => {
	it('is the same for the same seed and clock, however often it is read', () => {
		fc.assert(
			fc.property(
				fc.integer(),
				fc.array(fc.integer({ min: 0, max: 12 * HOUR }), { maxLength: 20 }),
				(seed, questions) => {
					const plan = { id: 'b', rooms: rooms.slice(0, 2) };
					const [asked, left] = [new SimulatedBuilding(plan, seed), new SimulatedBuilding(plan, seed)];
					asked.room('hall', MIDNIGHT);
					left.room('hall', MIDNIGHT);
					for (const at of questions.sort((a, b) => a - b)) asked.room('lab', MIDNIGHT + at);
					for (const { id } of plan.rooms)
						expect(asked.room(id, MIDNIGHT + 13 * HOUR)).toEqual(left.room(id, MIDNIGHT + 13 * HOUR));
				},
			),
			{ numRuns: 20 },
		);
	});

	it('differs between seeds', () => {
		expect(aDay(1).get('hall')).not.toEqual(aDay(2).get('hall'));
	});

	it('stays plausible through 24 hours: whole counts within capacity, and breathable air', () => {
		for (const seed of [1, 2, 3, 4, 5]) {
			const day = aDay(seed);
			for (const { id, capacity } of rooms) {
				const implausible = day.get(id)!.filter(({ people, entered, left, co2, temperature, humidity }) => {
					const counted = Number.isInteger(people) && people >= 0 && people <= capacity && entered - left === people;
					const air =
						co2 >= 419 && co2 < 2500 && temperature > 14 && temperature < 28 && humidity > 20 && humidity < 70;
					return !counted || !air;
				});
				expect(implausible).toEqual([]);
			}
		}
	});

	it('has waves: empty at night, lectures with breaks, a lunch hour', () => {
		for (const seed of [1, 2, 3]) {
			const day = aDay(seed);
			const people = (id: string, from: number, to: number) =>
				day
					.get(id)!
					.slice(from * 60, to * 60)
					.map((state) => state.people);
			for (const { id } of rooms) {
				expect(Math.max(...people(id, 0, 7))).toBe(0);
				expect(Math.max(...people(id, 21, 24))).toBe(0);
				expect(Math.max(...people(id, 8, 19))).toBeGreaterThan(5);
			}
			expect(Math.max(...people('hall', 8, 18))).toBeGreaterThan(3 * Math.min(...people('hall', 12.4, 13.2)));
			expect(mean(people('canteen', 12.5, 13.5))).toBeGreaterThan(3 * mean(people('canteen', 14.5, 15.5)));
			expect(mean(people('lab', 12.6, 13.2))).toBeLessThan(0.75 * mean(people('lab', 10.5, 11.5)));
		}
	});

	it('lets CO2 and temperature rise with people and decay after them, with inertia', () => {
		const building = new SimulatedBuilding({ id: 'b', rooms }, 3);
		const night = MIDNIGHT + 2 * HOUR;
		const empty = { ...building.room('lab', night) };
		building.crowd('lab', 45, night);
		expect(building.room('lab', night).co2).toBe(empty.co2);
		const levels = [5, 15, 30, 60, 120].map((minutes) => ({ ...building.room('lab', night + minutes * MINUTE) }));
		for (const [index, level] of levels.entries()) {
			const before = levels[index - 1] ?? empty;
			expect(level.co2).toBeGreaterThan(before.co2);
			expect(level.temperature).toBeGreaterThan(before.temperature);
		}
		expect(levels[0]!.co2).toBeLessThan(1000);
		expect(levels.at(-1)!.co2).toBeGreaterThan(1200);

		building.crowd('lab', undefined, night + 2 * HOUR);
		const after = { ...building.room('lab', night + 5 * HOUR) };
		expect(after.people).toBe(0);
		expect(after.co2).toBeLessThan(430);
		expect(after.temperature).toBeLessThan(levels.at(-1)!.temperature - 1);
	});

	it('can be crowded beyond its capacity at once, through its doors, until it is released', () => {
		const building = new SimulatedBuilding({ id: 'b', rooms }, 3);
		const noon = MIDNIGHT + 12 * HOUR;
		const before = { ...building.room('hall', noon) };
		building.crowd('hall', 150, noon);
		const crowded = { ...building.room('hall', noon) };
		expect(crowded.people).toBe(150);
		expect(crowded.entered - before.entered).toBe(150 - before.people);
		expect(building.room('hall', noon + HOUR).people).toBe(150);
		expect(building.room('lab', noon + HOUR).people).toBeLessThanOrEqual(30);
		building.crowd('hall', 10, noon + HOUR);
		expect(building.room('hall', noon + HOUR).people).toBe(10);
		building.crowd('hall', undefined, noon + HOUR);
		expect(building.room('hall', noon + 2 * HOUR).people).toBeLessThanOrEqual(120);
	});

	it('continues where it was when the clock is set back, and catches up after a long pause', () => {
		const building = new SimulatedBuilding({ id: 'b', rooms }, 3);
		const noon = MIDNIGHT + 12 * HOUR;
		const before = { ...building.room('lab', noon) };
		expect(building.room('lab', noon - HOUR)).toEqual(before);
		const later = { ...building.room('lab', noon - HOUR + 10 * MINUTE) };
		expect(later.entered).toBeGreaterThanOrEqual(before.entered);
		expect(later.left).toBeGreaterThanOrEqual(before.left);
		expect(building.room('lab', noon + 400 * 24 * HOUR - 9 * HOUR).people).toBe(0);
	});

	it('names its rooms when it is asked for an unknown one', () => {
		const building = new SimulatedBuilding({ id: 'b', rooms }, 3);
		expect(() => building.room('attic', MIDNIGHT)).toThrow(
			/b has no room "attic"; its rooms are hall, lab, canteen, foyer/,
		);
		for (const count of [-1, 1.5, Number.NaN])
			expect(() => building.crowd('hall', count, MIDNIGHT)).toThrow(RangeError);
	});
});

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
