import { describe, expect, it } from 'vitest';
import { type Health, Probation } from './probation.ts';

const LOOKS = 60;

/** A gateway that takes `perLook` readings a look in, of which a share is refused. */
function looks(
	count: number,
	{
		perLook = 10,
		refused = 0,
		from = 0,
		troubles = {},
		imbalance = 0,
	}: Partial<{
		perLook: number;
		refused: number;
		from: number;
		troubles: Record<string, string>;
		imbalance: number;
	}> = {},
): Health[] {
	return Array.from({ length: count }, (_, index) => ({
		troubles: new Map(Object.entries(troubles)),
		received: from + perLook * (index + 1),
		rejected: Math.round((from + perLook * (index + 1)) * refused),
		imbalance,
	}));
}

function judge(before: Health[], since: Health[]): string | undefined {
	const probation = new Probation(before, { looks: LOOKS });
	for (const look of since) {
		const verdict = probation.look(look);
		if (verdict !== undefined) return verdict === 'passed' ? verdict : verdict.reason;
	}
	return undefined;
}

const BEFORE = looks(60);

describe('P11 the trial of a configuration', () => {
	it('is passed when all goes on as before, at its end and not earlier', () => {
		expect(judge(BEFORE, looks(LOOKS, { from: 600 }))).toBe('passed');
		expect(judge(BEFORE, looks(LOOKS - 1, { from: 600 }))).toBeUndefined();
	});

	it('is passed without a time before it, and where nothing arrives before or since', () => {
		expect(judge([], looks(LOOKS))).toBe('passed');
		expect(judge(looks(60, { perLook: 0 }), looks(LOOKS, { perLook: 0 }))).toBe('passed');
	});

	it('is failed by an uplink that worked and does not any more, when that lasts', () => {
		const broken = looks(LOOKS, { from: 600, troubles: { 'bridge campus': 'refused the password' } });
		expect(judge(BEFORE, broken)).toBe('bridge campus worked before, and does not any more: refused the password');
		const blip = looks(LOOKS, { from: 600 }).map((look, index) =>
			index % 9 < 8 ? { ...look, troubles: new Map([['relay', 'connecting']]) } : look,
		);
		expect(judge(BEFORE, blip)).toBe('passed');
	});

	it('is not failed by trouble that was there before', () => {
		const troubles = { relay: 'Redis is away' };
		expect(judge(looks(60, { troubles }), looks(LOOKS, { from: 600, troubles }))).toBe('passed');
	});

	it('is failed by refusals that were none before, and not by those that were', () => {
		const mapped = looks(LOOKS).map((look) => ({
			...look,
			received: look.received + 600,
			rejected: Math.round(look.received * 0.5),
		}));
		expect(judge(BEFORE, mapped)).toBe('50 % of what arrives is refused, before it was 0 %');
		const always = looks(120, { refused: 0.5 });
		expect(judge(always.slice(0, 60), always.slice(60))).toBe('passed');
	});

	it('is failed by silence where readings came, and not by the usual pause between them', () => {
		const silent = looks(LOOKS, { perLook: 0, from: 600 });
		expect(judge(BEFORE, silent)).toBe('nothing arrives any more');
		// One reading in twenty looks, before and since.
		const rare = (from: number) =>
			Array.from({ length: 60 }, (_, index) => ({ ...looks(1)[0]!, received: from + Math.floor(index / 20) }));
		expect(judge(rare(0), rare(3))).toBe('passed');
	});

	it('is failed by a ledger that does not balance any more, and not by one look between two counts', () => {
		expect(judge(BEFORE, looks(LOOKS, { from: 600, imbalance: 4 }))).toBe(
			'the ledger does not balance any more: 4 readings are not accounted for',
		);
		const once = looks(LOOKS, { from: 600 }).map((look, index) => ({ ...look, imbalance: index % 5 === 0 ? 1 : 0 }));
		expect(judge(BEFORE, once)).toBe('passed');
	});
});
