import { createRandom, hash } from '../random.ts';

/** The purpose of a room, which decides when people are in it. */
export const PURPOSES = ['lecture', 'office', 'canteen', 'foyer'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Lecture slots, in hours of the day. */
const SLOTS = [
	[8.5, 10.25],
	[10.5, 12.25],
	[13.5, 15.25],
	[15.5, 17.25],
] as const;

/** The purpose suggested by the room's id; if the id suggests none, the seed decides. */
export function purposeOf(roomId: string, seed: number): Purpose {
	if (/hall|lecture|aula|class|auditorium/i.test(roomId)) return 'lecture';
	if (/lab|office|ufficio|study|library/i.test(roomId)) return 'office';
	if (/canteen|mensa|cafe|bar|restaurant/i.test(roomId)) return 'canteen';
	if (/foyer|lobby|entrance|corridor|atrium/i.test(roomId)) return 'foyer';
	return PURPOSES[hash(seed, roomId, 'purpose') % PURPOSES.length] as Purpose;
}

/**
 * The share of the room's capacity, 0..1, that wants to be there at `hour` (0..24, local) of day number `day`. Every
 * day and every room differs; nights are empty.
 */
export function attendance(purpose: Purpose, base: number, day: number, hour: number): number {
	const random = createRandom(hash(base, day));
	const shift = (random() - 0.5) * 0.3;
	const share = 0.6 + random() * 0.35;
	const at = hour - shift;
	switch (purpose) {
		case 'lecture': {
			let wanted = 0.06 * plateau(at, 7.75, 8.25, 17.5, 18.5);
			for (const [from, to] of SLOTS) {
				const taught = random() < 0.85;
				const interest = 0.35 + random() * 0.6;
				if (taught) wanted = Math.max(wanted, interest * plateau(hour, from - 0.2, from + 0.1, to - 0.05, to + 0.15));
			}
			return wanted;
		}
		case 'office':
			return share * plateau(at, 7.75, 9.5, 16.5, 18.75) * (1 - 0.6 * plateau(at, 12, 12.5, 13, 13.75));
		case 'canteen':
			return Math.max(
				share * plateau(at, 11.6, 12.5, 13.4, 14.3),
				0.25 * plateau(at, 10, 10.3, 10.6, 11),
				0.2 * plateau(at, 15.6, 16, 16.4, 17),
				0.05 * plateau(at, 7.5, 8, 17.5, 19),
			);
		case 'foyer': {
			let wanted = 0.08 * plateau(at, 7.5, 8.2, 18, 19.5);
			for (const [from, to] of SLOTS) {
				wanted = Math.max(wanted, share * 0.7 * plateau(hour, from - 0.3, from - 0.1, from, from + 0.2));
				wanted = Math.max(wanted, share * 0.5 * plateau(hour, to - 0.05, to + 0.05, to + 0.15, to + 0.3));
			}
			return wanted;
		}
	}
}

/** 0 outside, 1 between `full` and `falls`, straight lines between. */
function plateau(x: number, rises: number, full: number, falls: number, ends: number): number {
	if (x <= rises || x >= ends) return 0;
	if (x < full) return (x - rises) / (full - rises);
	if (x > falls) return (ends - x) / (ends - falls);
	return 1;
}
