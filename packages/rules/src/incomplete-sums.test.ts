import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { ALL_CLEAR } from './condition.ts';
import { decide } from './decide.ts';
import { type Rule, rulesOf } from './rules-of.ts';

const ROOM = { capacity: 10, limits: { temperature: { min: 18, max: 26 }, humidity: { min: 30 } } };
const RULES = rulesOf(ROOM, 0, BUILT_IN_METRICS);
const rule = (kind: string): Rule => RULES.find((one) => one.kind === kind)!;
const OPEN = { phase: 'open', since: 0, side: 'max', seenAt: 0, alertId: 'a' } as const;

/** The event of one value, a second after the last: with `silent`, a sum that lacks a counter. */
const eventOf = (of: Rule, value: number, isIncomplete: boolean, from: Parameters<typeof decide>[0] = ALL_CLEAR) =>
	decide(
		from,
		{
			...{ value, observedAt: 1000, stale: false },
			combined: { rule: 'sum', counters: 2, ...(isIncomplete && { silent: ['west'] }) },
		},
		of,
	).event;

describe('P14 several counters of one room: an incomplete sum', () => {
	it('opens an alert when even without the silent counters there are too many people', () => {
		expect(eventOf(rule('occupancy'), 11, true)).toBe('open');
	});

	it('resolves no alert, as the silent counters may see the people that are missing', () => {
		expect(eventOf(rule('occupancy'), 8, false, OPEN)).toBe('resolve');
		expect(eventOf(rule('occupancy'), 8, true, OPEN)).toBeUndefined();
		expect(eventOf(rule('occupancy'), 0, true, OPEN)).toBeUndefined();
	});

	it('opens no alert of a lower limit, and resolves one when it is above that limit already', () => {
		expect(eventOf(rule('humidity'), 20, false)).toBe('open');
		expect(eventOf(rule('humidity'), 20, true)).toBeUndefined();
		expect(eventOf(rule('humidity'), 60, true, { ...OPEN, side: 'min' })).toBe('resolve');
	});

	it('decides nothing of a metric that may be negative', () => {
		expect(eventOf(rule('temperature'), 40, true)).toBeUndefined();
		expect(eventOf(rule('temperature'), 20, true, OPEN)).toBeUndefined();
		expect(eventOf(rule('temperature'), 40, false)).toBe('open');
	});

	it('leaves a breach that has begun as it is', () => {
		const breach = { phase: 'breach', since: 0, side: 'max', seenAt: 0, alertId: null } as const;
		const { condition } = decide(
			breach,
			{ value: 3, observedAt: 1000, stale: false, combined: { rule: 'sum', counters: 2, silent: ['west'] } },
			rule('occupancy'),
		);
		expect(condition).toEqual(breach);
	});
});
