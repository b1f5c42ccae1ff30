import { describe, expect, it } from 'vitest';
import { isWithinHours, type WeekHours } from './hours.ts';
import { DEFAULT_POLICY, maintenanceAt, type Policy, policyOf, policyProblems, quietBelow } from './policy.ts';

const ROME = 'Europe/Rome';
const NIGHT: WeekHours = { days: ['sat'], from: '22:00', to: '07:00' };
const at = (text: string) => Date.parse(text);

describe('A2 hours of the week', () => {
	it.each<[string, WeekHours, string, boolean]>([
		['before they begin', NIGHT, '2026-02-07T20:59:59Z', false],
		['as they begin', NIGHT, '2026-02-07T21:00:00Z', true],
		['after midnight, on the next day', NIGHT, '2026-02-08T05:59:59Z', true],
		['as they end', NIGHT, '2026-02-08T06:00:00Z', false],
		['on another day', NIGHT, '2026-02-08T22:30:00Z', false],
		['after midnight of another day', NIGHT, '2026-02-07T02:00:00Z', false],
		[
			'of a whole day, at its first moment',
			{ days: ['sun'], from: '00:00', to: '24:00' },
			'2026-02-07T23:00:00Z',
			true,
		],
		['of a whole day, after its last', { days: ['sun'], from: '00:00', to: '24:00' }, '2026-02-08T23:00:00Z', false],
		['in the night when clocks go forward, before', NIGHT, '2026-03-29T00:59:59Z', true],
		['in the night when clocks go forward, an hour earlier at the end', NIGHT, '2026-03-29T04:59:59Z', true],
		['in the night when clocks go forward, at the end', NIGHT, '2026-03-29T05:00:00Z', false],
		['in the night when clocks go back, the hour shown first', NIGHT, '2026-10-25T00:30:00Z', true],
		['in the night when clocks go back, the hour shown again', NIGHT, '2026-10-25T01:30:00Z', true],
		['in the night when clocks go back, an hour later at the end', NIGHT, '2026-10-25T05:59:59Z', true],
		['in the night when clocks go back, at the end', NIGHT, '2026-10-25T06:00:00Z', false],
		['that the clocks skip', { days: ['sun'], from: '02:00', to: '03:00' }, '2026-03-29T01:00:00Z', false],
		['that the clocks show twice', { days: ['sun'], from: '02:00', to: '03:00' }, '2026-10-25T01:59:59Z', true],
		[
			'that the clocks show twice, after them',
			{ days: ['sun'], from: '02:00', to: '03:00' },
			'2026-10-25T02:00:00Z',
			false,
		],
	])('hold by the clocks in Rome: %s', (_text, hours, moment, isIn) => {
		expect(isWithinHours(hours, ROME, at(moment))).toBe(isIn);
	});
});

describe('A2 the policy of a building', () => {
	const problems = (value: unknown) =>
		policyProblems(value, { zone: ROME, rooms: new Set(['hall']) }).map(({ path, message }) => `${path} ${message}`);
	const WHOLE: Policy = {
		silence: { afterSeconds: 600, severity: 'critical' },
		openingHours: [{ days: ['mon', 'tue'], from: '08:00', to: '18:30' }],
		quiet: [{ days: ['sat'], from: '22:00', to: '24:00', belowSeverity: 'critical' }],
		maintenance: [{ from: '2026-12-01T22:00', to: 1_796_169_600_000, rooms: ['hall'], note: 'New counters' }],
		groupingSeconds: 60,
		escalation: [
			{ afterSeconds: 0, to: { role: 'business_staff' }, channels: ['push'] },
			{ afterSeconds: 300, to: { accounts: ['ada'] }, channels: ['push', 'mail'] },
		],
	};

	it('may be sent back as it was returned, and has defaults for what is left out', () => {
		expect(problems(WHOLE)).toEqual([]);
		expect(policyOf(WHOLE)).toEqual(WHOLE);
		expect(problems(DEFAULT_POLICY)).toEqual([]);
		expect(problems({})).toEqual([]);
		expect(policyOf({ groupingSeconds: 5 })).toEqual({ ...DEFAULT_POLICY, groupingSeconds: 5 });
	});

	it.each<[object, string]>([
		[{ quiet: [{ days: [], from: '22:00', to: '07:00', belowSeverity: 'critical' }] }, '/quiet/0/days '],
		[
			{ quiet: [{ days: ['sunday'], from: '22:00', to: '07:00', belowSeverity: 'critical' }] },
			'/quiet/0/days/0 must be one of mon',
		],
		[
			{ quiet: [{ days: ['sun'], from: '24:00', to: '07:00', belowSeverity: 'critical' }] },
			'/quiet/0/from must be a time such as 22:00',
		],
		[
			{ quiet: [{ days: ['sun'], from: '7:00', to: '08:00', belowSeverity: 'critical' }] },
			'/quiet/0/from must be a time',
		],
		[
			{ quiet: [{ days: ['sun'], from: '07:00', to: '07:00', belowSeverity: 'critical' }] },
			'/quiet/0/to must differ from from',
		],
		[
			{ quiet: [{ days: ['sun'], from: '07:00', to: '08:00', belowSeverity: 'info' }] },
			'/quiet/0/belowSeverity must be one of warning, critical',
		],
		[{ openingHours: [{ days: ['sun'], from: '07:00', to: '07:00' }] }, '/openingHours/0/to must differ from from'],
		[{ silence: { afterSeconds: 0, severity: 'info' } }, '/silence/afterSeconds must be >= 1'],
		[{ silence: {} }, '/silence/severity is required'],
		[
			{ maintenance: [{ from: 'soon', to: '2026-12-02' }] },
			'/maintenance/0/from must be epoch ms or a time of ISO 8601',
		],
		[{ maintenance: [{ from: '2026-12-02', to: '2026-12-01' }] }, '/maintenance/0/to must be after from'],
		[{ maintenance: [{ from: 0, to: 1, rooms: ['cellar'] }] }, '/maintenance/0/rooms/0 is not a room of this building'],
		[{ escalation: [{ afterSeconds: 5, to: {}, channels: ['push'] }] }, '/escalation/0/to'],
		[
			{ escalation: [{ afterSeconds: 5, to: { role: 'admin' }, channels: [] }] },
			'/escalation/0/channels must not have fewer',
		],
		[
			{ escalation: [1, 1].map((afterSeconds) => ({ afterSeconds, to: { role: 'admin' }, channels: ['push'] })) },
			'/escalation/1/afterSeconds must be more than that of the step before, which is 1',
		],
		[{ groupingSeconds: -1 }, '/groupingSeconds must be >= 0'],
		[{ noise: 1 }, '/noise is not known here; known are silence, openingHours'],
	])('is refused with the path of what is wrong: %j', (value, message) => {
		expect(problems(value)).toContainEqual(expect.stringContaining(message));
	});

	it('keeps alerts below the highest severity of the quiet hours of a moment from calling', () => {
		const quiet: Policy['quiet'] = [
			{ ...NIGHT, belowSeverity: 'warning' },
			{ days: ['sun'], from: '00:00', to: '02:00', belowSeverity: 'critical' },
		];
		expect(quietBelow({ quiet }, ROME, at('2026-02-07T22:30:00Z'))).toBe('warning');
		expect(quietBelow({ quiet }, ROME, at('2026-02-08T00:30:00Z'))).toBe('critical');
		expect(quietBelow({ quiet }, ROME, at('2026-02-08T12:00:00Z'))).toBeUndefined();
	});

	it('has maintenance by the clocks of the building, of some rooms or of all', () => {
		const maintenance: Policy['maintenance'] = [
			{ from: '2026-10-25T01:00', to: '2026-10-25T02:30', rooms: ['hall'] },
			{ from: '2026-12-01T22:00:00Z', to: at('2026-12-01T23:00:00Z') },
		];
		const isIn = (moment: string, roomId?: string) =>
			maintenanceAt({ maintenance }, ROME, at(moment), roomId) !== undefined;
		expect(isIn('2026-10-24T22:59:59Z', 'hall')).toBe(false);
		expect(isIn('2026-10-24T23:00:00Z', 'hall')).toBe(true);
		expect(isIn('2026-10-25T00:45:00Z', 'hall')).toBe(true);
		expect(isIn('2026-10-25T01:30:00Z', 'hall')).toBe(false);
		expect(isIn('2026-10-25T00:45:00Z', 'attic')).toBe(false);
		expect(isIn('2026-12-01T22:30:00Z')).toBe(true);
		expect(isIn('2026-12-01T23:00:00Z', 'attic')).toBe(false);
	});
});
