import { describe, expect, it } from 'vitest';
import { age } from './age.ts';

const NOW = 1_764_000_000_000;

describe('P8 the age of a value', () => {
	it.each([
		[0, 0, 'second'],
		[999, 0, 'second'],
		[59_999, 59, 'second'],
		[60_000, 1, 'minute'],
		[3_599_999, 59, 'minute'],
		[3_600_000, 1, 'hour'],
		[47 * 3_600_000, 47, 'hour'],
		[48 * 3_600_000, 2, 'day'],
		[-5000, 0, 'second'],
	] as const)('shows %i ms as %i %s', (ms, amount, unit) => {
		expect(age(NOW - ms, NOW)).toEqual({ amount, unit });
	});
});
