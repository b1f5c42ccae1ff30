import { expect, it } from 'vitest';
import { openFor } from './start-mode.ts';

const at = (time: string) => new Date(`2026-11-28T${time}`);
const MINUTE = 60_000;

it.each([
	['09:00:00', [{ from: '08:00', to: '10:00' }], 60],
	['10:00:00', [{ from: '08:00', to: '10:00' }], 0],
	['07:59:59', [{ from: '08:00', to: '10:00' }], 0],
	['23:30:00', [{ from: '22:00', to: '06:00' }], 390],
	['05:00:00', [{ from: '22:00', to: '06:00' }], 60],
	['12:00:00', [{ from: '22:00', to: '06:00' }], 0],
	[
		'12:00:00',
		[
			{ from: '11:00', to: '13:00' },
			{ from: '10:00', to: '14:00' },
		],
		120,
	],
	['12:00:00', [{ from: '12:00', to: '12:00' }], 1440],
])('at %s, a bridge scheduled for %j stays connected for %i minutes', (time, schedule, minutes) => {
	expect(openFor(schedule, at(time))).toBe(minutes * MINUTE);
});
