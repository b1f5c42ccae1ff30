import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_CLEAR, type Condition, decide, type Rule, rulesOf } from './rules.ts';

const ROOM = { id: 'hall', name: 'Hall', capacity: 100 };
const occupancyRule = (capacity: number, dwellMs = 0): Rule => rulesOf({ ...ROOM, capacity }, dwellMs)[0]!;

/** Runs counts, one a second, through the rule; the events with the index at which they came. */
function run(values: number[], rule: Rule, from: Condition = ALL_CLEAR) {
	let condition = from;
	const events: { event: 'open' | 'resolve'; index: number }[] = [];
	for (const [index, value] of values.entries()) {
		const decision = decide(condition, { value, observedAt: index * 1000, stale: false }, rule);
		condition = decision.condition;
		if (decision.event) events.push({ event: decision.event, index });
	}
	return { events: events.map(({ event }) => event), at: events.map(({ index }) => index), condition };
}

/** What should come of it, told another way: excursions above the limit, each ended by a value at or below the clear level. */
function excursions(values: number[], { limit, clearAt }: Rule): ('open' | 'resolve')[] {
	const events: ('open' | 'resolve')[] = [];
	for (let rest = values; ; ) {
		const begin = rest.findIndex((value) => value > limit);
		if (begin < 0) return events;
		events.push('open');
		const end = rest.findIndex((value, index) => index > begin && value <= clearAt);
		if (end < 0) return events;
		events.push('resolve');
		rest = rest.slice(end + 1);
	}
}

describe('P10 alert rules', () => {
	it('give one open and one clear for 1,000 oscillations around the limit', () => {
		const values = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? 101 : 99));
		expect(run([...values, 95], occupancyRule(100)).events).toEqual(['open', 'resolve']);
		expect(run(values, occupancyRule(100)).events).toEqual(['open']);
	});

	it('give one open and one clear per real excursion, whatever the values', () => {
		const around = fc.tuple(fc.integer({ min: 0, max: 200 }), fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 300 }));
		fc.assert(
			fc.property(around, ([capacity, values]) => {
				const rule = occupancyRule(capacity);
				expect(run(values, rule).events).toEqual(excursions(values, rule));
			}),
		);
	});

	it('change nothing on what is stale, repeated or older than what was seen', () => {
		const rule = occupancyRule(100);
		const phases: Condition[] = [
			{ ...ALL_CLEAR, seenAt: 5000 },
			{ phase: 'breach', since: 4000, seenAt: 5000, alertId: null },
			{ phase: 'open', since: 4000, seenAt: 5000, alertId: 'a' },
		];
		fc.assert(
			fc.property(fc.constantFrom(...phases), fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 4999 }), (condition, value, observedAt) => {
				expect(decide(condition, { value, observedAt, stale: false }, rule)).toEqual({ condition });
				expect(decide(condition, { value, observedAt: observedAt + 10_000, stale: true }, rule)).toEqual({ condition });
			}),
		);
	});

	it('are the same however often each observation is repeated', () => {
		const values = fc.array(fc.tuple(fc.integer({ min: 80, max: 110 }), fc.integer({ min: 1, max: 4 })), { maxLength: 200 });
		fc.assert(
			fc.property(values, (steps) => {
				const rule = occupancyRule(100);
				const once = run(
					steps.map(([value]) => value),
					rule,
				);
				let condition = ALL_CLEAR;
				const events: string[] = [];
				for (const [index, [value, times]] of steps.entries()) {
					for (let n = 0; n < times; n++) {
						const decision = decide(condition, { value, observedAt: index * 1000, stale: false }, rule);
						condition = decision.condition;
						if (decision.event) events.push(decision.event);
					}
				}
				expect(events).toEqual(once.events);
			}),
		);
	});

	it('open at the first value above the capacity, and clear 5 % inside of it', () => {
		expect(run([100, 101], occupancyRule(100)).at).toEqual([1]);
		expect(run([101, 96, 95], occupancyRule(100)).at).toEqual([0, 2]);
		expect(run([11, 10, 9], occupancyRule(10)).at).toEqual([0, 2]);
		expect(run([1, 0], occupancyRule(0)).events).toEqual(['open', 'resolve']);
		expect(run([2, 1, 0], occupancyRule(1)).at).toEqual([0, 2]);
	});

	it('wait for the dwell time, and begin again when the breach ends before it', () => {
		const rule = occupancyRule(100, 3000);
		expect(run([101, 102, 103, 104, 50], rule).at).toEqual([3, 4]);
		expect(run([101, 102, 100, 101, 102, 103, 104], rule).at).toEqual([6]);
	});

	it('watch the temperature where a room has a maximum, below zero too', () => {
		expect(rulesOf(ROOM, 0).map(({ kind }) => kind)).toEqual(['occupancy']);
		const cellar = rulesOf({ ...ROOM, maxTemperature: 20 }, 0)[1]!;
		expect(run([20, 20.1, 19.5, 19], cellar).at).toEqual([1, 3]);
		const freezer = rulesOf({ ...ROOM, maxTemperature: -20 }, 0)[1]!;
		expect(freezer).toMatchObject({ limit: -20, clearAt: -21, severity: 'warning', metric: 'temperature' });
		expect(run([-19, -20.5, -21], freezer).at).toEqual([0, 2]);
	});
});
