import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRepeat, type Restated, type Said } from './repeats.ts';
import { type Change, newRoomCount, step } from './room-count.ts';

const AT = Date.UTC(2026, 10, 22, 10) + 123;
const SECOND = Date.UTC(2026, 10, 22, 10);
const said = (more: Partial<Said> = {}): Said => ({ count: 3, at: AT, isTimed: true, receivedAt: AT + 50, ...more });
const later = (ms: number, more: Partial<Said> = {}) => said({ receivedAt: AT + 50 + ms, ...more });

describe('P13 right in meaning: what a door says again is no event', () => {
	it.each<[string, Said | undefined, Said, Restated | undefined, boolean]>([
		['the first message', undefined, said(), undefined, false],
		['the same time and number, to the millisecond', said(), later(10), undefined, true],
		['the same time and another number', said(), later(10, { count: 2 }), undefined, false],
		['a later time', said(), later(1000, { at: AT + 1 }), undefined, false],
		['an earlier time: a backlog', said(), later(1000, { at: AT - 1000 }), undefined, false],
		['the same second at once: another person', said({ at: SECOND }), later(100, { at: SECOND }), undefined, false],
		['the same second, minutes later', said({ at: SECOND }), later(120_000, { at: SECOND }), undefined, true],
		['no time of its own', said({ isTimed: false }), later(10, { isTimed: false }), undefined, false],
		['the same seq, whenever it comes', said({ seq: 7 }), later(3600_000, { seq: 7 }), undefined, true],
		['the next seq at the same time', said({ seq: 7 }), later(10, { seq: 8 }), undefined, false],
		['a seq from before: a backlog', said({ seq: 7 }), later(10, { seq: 6, at: AT - 5 }), undefined, false],
		[
			'the same seq after a restart',
			said({ seq: 7, boot: 'a' }),
			later(10, { seq: 7, boot: 'b', at: AT + 9 }),
			undefined,
			false,
		],
		[
			'the same seq with another number: a restart',
			said({ seq: 1 }),
			later(10, { seq: 1, count: 9 }),
			undefined,
			false,
		],
		['a birth with the time of the last data', said(), later(10), 'dated', true],
		['a birth with an older time', said(), later(10, { at: AT - 10 }), 'dated', true],
		['a birth with a newer time, whose data were lost', said(), later(10, { at: AT + 10 }), 'dated', false],
		['a birth without times', said(), later(10, { at: AT + 500 }), 'undated', true],
		['the very first birth', undefined, said(), 'dated', true],
		['a retained message without a time', said({ isTimed: false }), later(10, { isTimed: false }), 'undated', true],
		['a retained message with the next seq', said({ seq: 7 }), later(10, { seq: 8 }), 'dated', false],
		['a retained message with a seq from before', said({ seq: 7 }), later(10, { seq: 6 }), 'dated', true],
	])('%s', (_text, before, now, restated, expected) => {
		expect(isRepeat(before, now, restated)).toBe(expected);
	});

	it('and changes neither the count of the room nor what is known of the door, however often it is said', () => {
		const event = fc.record({
			count: fc.integer({ min: 1, max: 5 }),
			ms: fc.integer({ min: 1, max: 60_000 }),
			repeats: fc.nat(3),
			restated: fc.constantFrom<(Restated | undefined)[]>(undefined, 'dated', 'undated'),
			direction: fc.constantFrom<('in' | 'out')[]>('in', 'out'),
		});
		fc.assert(
			fc.property(fc.array(event, { maxLength: 20 }), (events) => {
				const [once, often] = [newRoomCount(0), newRoomCount(0)];
				const limits = () => ({ bias: 0.1, missRate: 0.05, perMinute: 200, wrapAt: undefined });
				let at = SECOND;
				for (const { count, ms, repeats, restated, direction } of events) {
					at += ms;
					if (at % 1000 === 0) at++;
					const change: Change = {
						...{ kind: 'crossings', door: 'd', direction, count, at, isTimed: true, receivedAt: at + 20 },
					};
					step(once, change, limits);
					step(often, change, limits);
					for (let n = 1; n <= repeats; n++) {
						const again: Change = { ...change, receivedAt: at + 20 + n, restated };
						expect(step(often, again, limits)).toMatchObject({ in: 0, out: 0, detected: 'repeat' });
					}
				}
				expect(often).toEqual(once);
			}),
		);
	});
});
