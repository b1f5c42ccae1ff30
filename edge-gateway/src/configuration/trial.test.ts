import { describe, expect, it } from 'vitest';
import { type Health, Trial } from './trial.ts';

const OBSERVATIONS = 60;

/** Observations of a gateway that receives `perSecond` readings, of which it refuses a share. */
function observations(
	count: number,
	{
		perSecond = 10,
		refused = 0,
		from = 0,
		troubles = {},
		imbalance = 0,
	}: Partial<{
		perSecond: number;
		refused: number;
		from: number;
		troubles: Record<string, string>;
		imbalance: number;
	}> = {},
): Health[] {
	return Array.from({ length: count }, (_, index) => ({
		troubles: new Map(Object.entries(troubles)),
		received: from + perSecond * (index + 1),
		rejected: Math.round((from + perSecond * (index + 1)) * refused),
		imbalance,
	}));
}

function verdictOf(before: Health[], since: Health[]): string | undefined {
	const trial = new Trial(before, { observations: OBSERVATIONS });
	for (const health of since) {
		const verdict = trial.observe(health);
		if (verdict !== undefined) return verdict === 'passed' ? verdict : verdict.reason;
	}
	return undefined;
}

const BEFORE = observations(60);

describe('P11 the trial of a configuration', () => {
	it('is passed at its end, and not earlier, when all goes on as before', () => {
		expect(verdictOf(BEFORE, observations(OBSERVATIONS, { from: 600 }))).toBe('passed');
		expect(verdictOf(BEFORE, observations(OBSERVATIONS - 1, { from: 600 }))).toBeUndefined();
	});

	it('is passed without observations before it, and when no readings arrive before or during it', () => {
		expect(verdictOf([], observations(OBSERVATIONS))).toBe('passed');
		expect(verdictOf(observations(60, { perSecond: 0 }), observations(OBSERVATIONS, { perSecond: 0 }))).toBe('passed');
	});

	it('is failed by an uplink that worked before and fails for long enough', () => {
		const broken = observations(OBSERVATIONS, { from: 600, troubles: { 'bridge campus': 'refused the password' } });
		expect(verdictOf(BEFORE, broken)).toBe('bridge campus worked before and no longer does: refused the password');
		const blip = observations(OBSERVATIONS, { from: 600 }).map((health, index) =>
			index % 9 < 8 ? { ...health, troubles: new Map([['relay', 'connecting']]) } : health,
		);
		expect(verdictOf(BEFORE, blip)).toBe('passed');
	});

	it('is not failed by trouble that existed before', () => {
		const troubles = { relay: 'Redis is away' };
		expect(verdictOf(observations(60, { troubles }), observations(OBSERVATIONS, { from: 600, troubles }))).toBe(
			'passed',
		);
	});

	it('is failed by new refusals, and not by those that existed before', () => {
		const mapped = observations(OBSERVATIONS).map((health) => ({
			...health,
			received: health.received + 600,
			rejected: Math.round(health.received * 0.5),
		}));
		expect(verdictOf(BEFORE, mapped)).toBe('50 % of the readings are refused, before it was 0 %');
		const always = observations(120, { refused: 0.5 });
		expect(verdictOf(always.slice(0, 60), always.slice(60))).toBe('passed');
	});

	it('is failed by silence after a flow of readings, and not by the usual pause between them', () => {
		const silent = observations(OBSERVATIONS, { perSecond: 0, from: 600 });
		expect(verdictOf(BEFORE, silent)).toBe('no readings arrive any more');
		// One reading in twenty observations, before and during the trial.
		const rare = (from: number) =>
			Array.from({ length: 60 }, (_, index) => ({ ...observations(1)[0]!, received: from + Math.floor(index / 20) }));
		expect(verdictOf(rare(0), rare(3))).toBe('passed');
	});

	it('is failed by a ledger that no longer balances, and not by one observation between two counts', () => {
		expect(verdictOf(BEFORE, observations(OBSERVATIONS, { from: 600, imbalance: 4 }))).toBe(
			'the ledger no longer balances: 4 readings are not accounted for',
		);
		const once = observations(OBSERVATIONS, { from: 600 }).map((health, index) => ({
			...health,
			imbalance: index % 5 === 0 ? 1 : 0,
		}));
		expect(verdictOf(BEFORE, once)).toBe('passed');
	});
});
