import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newOrientation, noteCrossing, noteRest, type Orientation, turnedRound } from './orientation.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
/** Minutes between two people. */
const STEP = 60_000;

/** People who come in the morning and leave in the evening, by the door that is drawn for each. */
interface Day {
	people: number;
	doorIn: (n: number) => string;
	doorOut: (n: number) => string;
}

/** Lets days pass; `swapped` doors count the wrong way. Returns the doors that were found, in order. */
function live(state: Orientation, days: readonly Day[], swapped: readonly string[], from = 1): string[] {
	const found: (string | undefined)[] = [];
	for (const [n, { people, doorIn, doorOut }] of days.entries()) {
		const cross = (door: string, sign: number, at: number) =>
			found.push(noteCrossing(state, door, swapped.includes(door) ? -sign : sign, at));
		for (let person = 0; person < people; person++)
			cross(doorIn(person), 1, (from + n) * DAY + 8 * HOUR + person * STEP);
		for (let person = 0; person < people; person++)
			cross(doorOut(person), -1, (from + n) * DAY + 16 * HOUR + person * STEP);
	}
	found.push(noteRest(state));
	return found.filter((door) => door !== undefined);
}
const days = (count: number, people: number, doorIn = (_n: number) => 'a', doorOut = doorIn): Day[] =>
	Array.from({ length: count }, () => ({ people, doorIn, doorOut }));
const alternating = (n: number) => (n % 2 ? 'a' : 'b');

describe('P13 right in meaning: a door that is mounted the wrong way round', () => {
	it.each<[string, Day[], string[], string[]]>([
		['is found after two nights', days(2, 20), ['a'], ['a']],
		['is found once, however many nights follow', days(9, 20), ['a'], ['a']],
		['is not found after one night', days(1, 20), ['a'], []],
		['is not found where few people cross', days(9, 4), ['a'], []],
		['is not found where there is none', days(9, 20), [], []],
		['is found among two that share the people', days(3, 40, () => 'a', alternating), ['b'], ['b']],
		['is found where it carries most of the people', days(3, 40, (n) => (n % 4 ? 'a' : 'b')), ['a'], ['a']],
		['is not the other of two doors', days(3, 40, (n) => (n % 4 ? 'a' : 'b')), [], []],
		['is found with every other door right', days(3, 60, (n) => (n % 5 ? 'main' : 'side')), ['main'], ['main']],
		[
			'is not found where people come by one door and leave by another',
			days(
				5,
				30,
				() => 'a',
				() => 'b',
			),
			[],
			[],
		],
	])('%s', (_text, all, swapped, found) => {
		expect(live(newOrientation(), all, swapped)).toEqual(found);
	});

	it('is proposed until it is turned round', () => {
		const state = newOrientation();
		live(state, days(3, 20), ['a']);
		expect(turnedRound(state)).toEqual(['a']);
		live(state, days(1, 20), [], 5);
		expect(turnedRound(state)).toEqual([]);
	});

	it('is not proposed for a night shift, a room that was full when counting began, or people who stay', () => {
		const state = newOrientation();
		// Twenty who were there leave in the morning, thirty come and go.
		for (let day = 1; day < 5; day++) {
			for (let n = 0; n < 20; n++) noteCrossing(state, 'a', -1, day * DAY + 6 * HOUR + n * STEP);
			live(state, days(1, 30), [], day);
			for (let n = 0; n < 20; n++) noteCrossing(state, 'a', 1, day * DAY + 17 * HOUR + n * STEP);
		}
		expect(turnedRound(state)).toEqual([]);
	});

	it('is never proposed while all doors are right and the room empties at night, whoever goes by which door', () => {
		const day = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 10, maxLength: 60 });
		fc.assert(
			fc.property(fc.array(day, { minLength: 1, maxLength: 8 }), (all) => {
				const drawn = all.map((people) => ({
					people: people.length,
					doorIn: (n: number) => `door-${people[n]![0]}`,
					doorOut: (n: number) => `door-${people[n]![1]}`,
				}));
				expect(live(newOrientation(), drawn, [])).toEqual([]);
			}),
		);
	});

	it('is always proposed where it is the only door', () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 5, max: 60 }), { minLength: 2, maxLength: 8 }), (people) => {
				const drawn = people.map((count) => days(1, count)[0]!);
				expect(live(newOrientation(), drawn, ['a'])).toEqual(['a']);
			}),
		);
	});
});
