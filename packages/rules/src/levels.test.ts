import { BUILT_IN_METRICS, type Limit } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { ALL_CLEAR } from './condition.ts';
import { type Decision, decide } from './decide.ts';
import { rulesOf } from './rules-of.ts';

/** What each value does to the alert of one limit, with the severity where there is an alert. Times in seconds. */
function told(kind: string, limits: Record<string, Limit>, values: readonly [second: number, value: number][]) {
	const rule = rulesOf({ capacity: 1, limits }, 0, BUILT_IN_METRICS).find((one) => one.kind === kind)!;
	let condition = ALL_CLEAR;
	return values.map(([second, value]) => {
		const decision: Decision = decide(condition, { value, observedAt: second * 1000, stale: false }, rule);
		condition = decision.condition;
		return [decision.event, condition.severity].filter((part) => part !== undefined).join(' ');
	});
}
const everySecond = (...values: number[]) => values.map((value, n): [number, number] => [n + 1, value]);
const temperature = (limit: Limit, ...values: number[]) =>
	told('temperature', { temperature: limit }, everySecond(...values));

describe('A2 levels', () => {
	it('raise the severity of an open alert beyond the critical one, and lower it when the value is well back', () => {
		expect(temperature({ max: 26, criticalMax: 30 }, 27, 30, 30.5, 29.5, 30.1, 28.5, 24)).toEqual([
			...['open warning', 'warning', 'severity critical', 'critical', 'critical', 'severity warning', 'resolve'],
		]);
		expect(temperature({ min: 18, criticalMin: 10, severity: 'info' }, 17, 9, 10.2, 11, 20)).toEqual([
			...['open info', 'severity critical', 'critical', 'severity info', 'resolve'],
		]);
	});

	it('open a critical alert at a value that is critical at once', () => {
		expect(temperature({ max: 26, criticalMax: 30 }, 31)).toEqual(['open critical']);
	});

	it('tell a severity once for 1,000 oscillations around the critical level', () => {
		const values = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? 30.1 : 29.9));
		const events = temperature({ max: 26, criticalMax: 30 }, 27, ...values).filter((event) =>
			/open|severity|resolve/.test(event),
		);
		expect(events).toEqual(['open warning', 'severity critical']);
	});

	it('end an alert where the limit says so', () => {
		expect(temperature({ max: 26, clearMax: 20 }, 27, 21, 20)).toEqual(['open warning', 'warning', 'resolve']);
		expect(temperature({ max: 26, clearMax: 26 }, 27, 26)).toEqual(['open warning', 'resolve']);
		expect(temperature({ min: 18, clearMin: 25 }, 17, 24.9, 25)).toEqual(['open warning', 'warning', 'resolve']);
	});

	it('never ask for fewer than the one person who is allowed', () => {
		expect(told('occupancy', {}, everySecond(1, 2, 1))).toEqual(['', 'open critical', 'resolve']);
		const watched = { severity: 'info', clearMax: 0 } as const;
		expect(told('occupancy', { occupancy: watched }, everySecond(2, 1, 0))).toEqual(['open info', 'info', 'resolve']);
	});

	it('leave people below the capacity of a room that was made smaller than its clear level', () => {
		expect(told('occupancy', { occupancy: { clearMax: 50 } }, everySecond(2, 1))).toEqual(['open critical', 'resolve']);
	});

	it('wait for the dwell time of the capacity', () => {
		const values: [number, number][] = [
			[0, 2],
			[4, 3],
			[5, 3],
		];
		expect(told('occupancy', { occupancy: { dwellSeconds: 5 } }, values)).toEqual(['', '', 'open critical']);
	});
});

describe('A2 a value that rises fast', () => {
	const rising = (limit: number, values: readonly [number, number][]) =>
		told('co2', { co2: { risePerMinute: limit } }, values);

	it('opens an alert when it rose by more than the limit within a minute, and ends it when it does no more', () => {
		expect(
			rising(100, [
				[0, 400],
				[30, 450],
				[50, 501],
				[90, 560],
				[150, 600],
				[240, 600],
			]),
		).toEqual([...['', '', 'open warning', 'warning', 'resolve', '']]);
	});

	it('is not taken for one by noise between values that follow each other closely', () => {
		expect(
			rising(100, [
				[0, 400],
				[1, 410],
				[2, 405],
				[3, 415],
				[4, 400],
			]),
		).toEqual(['', '', '', '', '']);
	});

	it('is measured over the pause of a sensor that sends rarely, and not over one in which it was silent', () => {
		expect(
			rising(10, [
				[0, 400],
				[240, 430],
				[480, 480],
			]),
		).toEqual(['', '', 'open warning']);
		expect(
			rising(10, [
				[0, 400],
				[3600, 2000],
			]),
		).toEqual(['', '']);
	});

	it('is not one that falls', () => {
		expect(
			rising(10, [
				[0, 2000],
				[60, 400],
				[120, 405],
			]),
		).toEqual(['', '', '']);
	});
});
