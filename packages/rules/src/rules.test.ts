import { BUILT_IN_METRICS, FRESHNESS_MS, type Limit } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_CLEAR, type Condition } from './condition.ts';
import { decide } from './decide.ts';
import { type Rule, rulesOf } from './rules-of.ts';

const ROOM = { id: 'hall', name: 'Hall', capacity: 100 };
const occupancyRule = (capacity: number, dwellMs = 0): Rule =>
	rulesOf({ ...ROOM, capacity }, dwellMs, BUILT_IN_METRICS)[0]!;

/** Evaluates one value per second; returns the events and the indexes of their values. */
function run(values: number[], rule: Rule, from: Condition = ALL_CLEAR) {
	let condition = from;
	const events: { event: string; index: number }[] = [];
	for (const [index, value] of values.entries()) {
		const decision = decide(condition, { value, observedAt: index * 1000, stale: false }, rule);
		condition = decision.condition;
		if (decision.event) events.push({ event: decision.event, index });
	}
	return { events: events.map(({ event }) => event), at: events.map(({ index }) => index), condition };
}

/**
 * The expected events, computed in another way: excursions above the limit, each ended by a value at or below the clear
 * level.
 */
function excursions(values: number[], { max }: Rule): ('open' | 'resolve')[] {
	const { limit, clearAt } = max!;
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

describe('P10 a rule', () => {
	it('opens once and resolves once for 1,000 oscillations around the limit', () => {
		const values = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? 101 : 99));
		expect(run([...values, 95], occupancyRule(100)).events).toEqual(['open', 'resolve']);
		expect(run(values, occupancyRule(100)).events).toEqual(['open']);
	});

	it('opens once and resolves once per excursion, for any values', () => {
		const around = fc.tuple(
			fc.integer({ min: 0, max: 200 }),
			fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 300 }),
		);
		fc.assert(
			fc.property(around, ([capacity, values]) => {
				const rule = occupancyRule(capacity);
				expect(run(values, rule).events).toEqual(excursions(values, rule));
			}),
		);
	});

	it('ignores a value that is stale, repeated or older than the last one', () => {
		const rule = occupancyRule(100);
		const phases: Condition[] = [
			{ ...ALL_CLEAR, seenAt: 5000 },
			{ phase: 'breach', since: 4000, side: 'max', seenAt: 5000, alertId: null },
			{ phase: 'open', since: 4000, side: 'max', seenAt: 5000, alertId: 'a' },
		];
		fc.assert(
			fc.property(
				fc.constantFrom(...phases),
				fc.integer({ min: 0, max: 200 }),
				fc.integer({ min: 0, max: 4999 }),
				(condition, value, observedAt) => {
					expect(decide(condition, { value, observedAt, stale: false }, rule)).toEqual({ condition });
					expect(decide(condition, { value, observedAt: observedAt + 10_000, stale: true }, rule)).toEqual({
						condition,
					});
				},
			),
		);
	});

	it('gives the same events however often each observation is repeated', () => {
		const values = fc.array(fc.tuple(fc.integer({ min: 80, max: 110 }), fc.integer({ min: 1, max: 4 })), {
			maxLength: 200,
		});
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

	it('opens at the first value above the capacity and clears 5 % below it', () => {
		expect(run([100, 101], occupancyRule(100)).at).toEqual([1]);
		expect(run([101, 96, 95], occupancyRule(100)).at).toEqual([0, 2]);
		expect(run([11, 10, 9], occupancyRule(10)).at).toEqual([0, 2]);
		expect(run([1, 0], occupancyRule(0)).events).toEqual(['open', 'resolve']);
		expect(run([2, 1, 0], occupancyRule(1)).at).toEqual([0, 1]);
	});

	it('waits for the dwell time, and starts over when the breach ends before that', () => {
		const rule = occupancyRule(100, 3000);
		expect(run([101, 102, 103, 104, 50], rule).at).toEqual([3, 4]);
		expect(run([101, 102, 100, 101, 102, 103, 104], rule).at).toEqual([6]);
	});

	it('exists for each limit of a room, with its severity and dwell time', () => {
		expect(rulesOf(ROOM, 7, BUILT_IN_METRICS).map(({ kind }) => kind)).toEqual(['occupancy']);
		const rules = rulesOf(
			{ ...ROOM, limits: { co2: { max: 1000, severity: 'info', dwellSeconds: 60 }, temperature: { min: 18 } } },
			7,
			BUILT_IN_METRICS,
		);
		expect(rules).toMatchObject([
			{ kind: 'occupancy', severity: 'critical', metric: 'peopleCount', dwellMs: 7 },
			{ kind: 'temperature', severity: 'warning', metric: 'temperature', min: { limit: 18 }, dwellMs: 7 },
			{ kind: 'co2', severity: 'info', metric: 'co2', max: { limit: 1000, clearAt: 950 }, dwellMs: 60_000 },
		]);
		expect(rules[1]).not.toHaveProperty('max');
	});

	it.each<
		[
			text: string,
			metric: 'temperature' | 'humidity' | 'co2' | 'pressure',
			limit: Limit,
			values: number[],
			at: number[],
		]
	>([
		['a maximum', 'temperature', { max: 20 }, [20, 20.1, 19.5, 19], [1, 3]],
		['a maximum below zero', 'temperature', { max: -20 }, [-19, -20.5, -21], [0, 2]],
		['a maximum of zero, of which 5 % is nothing', 'temperature', { max: 0 }, [0.1, 0, -0.05, -0.1], [0, 3]],
		['a maximum at the lower end of the range', 'co2', { max: 0 }, [1, 0], [0, 1]],
		['a maximum whose 5 % is no round number', 'co2', { max: 140 }, [141, 134, 133], [0, 2]],
		['a minimum', 'temperature', { min: 20 }, [20, 19.9, 20.5, 21], [1, 3]],
		['a minimum below zero', 'temperature', { min: -20 }, [-20, -21, -19.5, -19], [1, 3]],
		['a minimum of zero', 'temperature', { min: 0 }, [-0.1, 0, 0.05, 0.1], [0, 3]],
		['a minimum near the upper end of the range', 'humidity', { min: 98 }, [97, 99, 100], [0, 2]],
		['a band', 'temperature', { min: 18, max: 26 }, [27, 25, 24.7, 17, 18.5, 18.9], [0, 2, 3, 5]],
		['a band, crossed from above to below at once', 'temperature', { min: 18, max: 26 }, [27, 17, 18.5, 22], [0, 3]],
		[
			'a band narrower than 5 % of its limits',
			'pressure',
			{ min: 1000, max: 1020 },
			[1021, 1016, 1015, 999, 1005],
			[0, 2, 3, 4],
		],
	])('opens beyond its limit and clears 5 %% inside: %s', (_text, metric, limit, values, at) => {
		const rule = rulesOf({ ...ROOM, limits: { [metric]: limit } }, 0, BUILT_IN_METRICS)[1]!;
		expect(run(values, rule).at).toEqual(at);
	});

	it('does not count time without a current value as breach', () => {
		const rule = occupancyRule(100, 60_000);
		const at = [0, FRESHNESS_MS + 1, FRESHNESS_MS + 60_001];
		let condition = ALL_CLEAR;
		const events = at.map((observedAt) => {
			const decision = decide(condition, { value: 101, observedAt, stale: false }, rule);
			condition = decision.condition;
			return decision.event;
		});
		expect(events).toEqual([undefined, undefined, 'open']);
	});
});

describe('P13 right in meaning: a limit with a dwell time, for a sensor that sends rarely', () => {
	const MINUTE = 60_000;
	const rule = rulesOf({ ...ROOM, limits: { co2: { max: 1000, dwellSeconds: 60 } } }, 0, BUILT_IN_METRICS)[1]!;
	/** Evaluates values `minutes` apart that hold for `freshFor` minutes; `stale`: how many of them come late. */
	const events = (values: number[], minutes: number, freshFor: number | undefined, stale = 0) => {
		let condition = ALL_CLEAR;
		let earlier: { value: number; observedAt: number } | undefined;
		return values.map((value, n) => {
			const observedAt = 1 + n * minutes * MINUTE;
			const held = freshFor === undefined ? {} : { freshFor: freshFor * MINUTE };
			const decision = decide(condition, { value, observedAt, ...held, stale: n < stale }, rule, earlier);
			condition = decision.condition;
			earlier = { value, observedAt };
			return decision.event;
		});
	};

	it.each<[string, number[], number, number | undefined, number, (string | undefined)[]]>([
		['every 5.5 minutes', [1800, 1800], 5.5, 14, 0, [undefined, 'open']],
		['every ten minutes', [1800, 1800, 1800], 10, 25, 0, [undefined, 'open', undefined]],
		['every hour', [1800, 1800], 60, 150, 0, [undefined, 'open']],
		[
			'every ten minutes, as long as the gateway does not say so',
			[1800, 1800, 1800],
			10,
			undefined,
			0,
			[undefined, undefined, undefined],
		],
		['longer than its values hold', [1800, 1800], 30, 25, 0, [undefined, undefined]],
		['longer than any value of the metric may hold', [1800, 1800], 240, 600, 0, [undefined, undefined]],
		['with a first value that came late', [1800, 1800], 5.5, 14, 1, [undefined, 'open']],
		['with a backlog', [1800, 1800, 1800], 10, 25, 2, [undefined, undefined, 'open']],
		['with a first value within the limit that came late', [900, 1800], 5.5, 14, 1, [undefined, undefined]],
		['and comes back', [1800, 1800, 900], 10, 25, 0, [undefined, 'open', 'resolve']],
	])('opens after it, %s', (_text, values, minutes, freshFor, stale, expected) => {
		expect(events(values, minutes, freshFor, stale)).toEqual(expected);
	});
});
