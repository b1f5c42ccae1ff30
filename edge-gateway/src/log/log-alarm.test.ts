import { createLogger } from '@crowdvision/service-kit';
import { expect, it, vi } from 'vitest';
import { type Fullness, LogAlarm } from './log-alarm.ts';

it('the log alarm comes once a day and once an hour before the log is full, and outlasts a wavering forecast', () => {
	const logger = createLogger('test', 'silent');
	const logged: string[] = [];
	for (const level of ['info', 'warn', 'error'] as const)
		vi.spyOn(logger, level).mockImplementation(() => void logged.push(level));
	let now: Fullness = { heldBytes: 0, maxBytes: 1000, hoursToFull: Number.POSITIVE_INFINITY };
	const alarm = new LogAlarm(() => now, logger);
	const after = (change: Partial<Fullness>) => {
		now = { ...now, ...change };
		alarm.check();
		alarm.check();
		return logged.splice(0);
	};
	expect(after({ hoursToFull: 25 })).toEqual([]);
	expect(after({ hoursToFull: 23 })).toEqual(['warn']);
	expect(after({ hoursToFull: 25 })).toEqual([]);
	expect(after({ hoursToFull: 0.5 })).toEqual(['error']);
	expect(after({ hoursToFull: 1.1 })).toEqual([]);
	expect(after({ hoursToFull: 12 })).toEqual(['warn']);
	expect(after({ hoursToFull: 30 })).toEqual(['info']);
	expect(after({ heldBytes: 990, hoursToFull: Number.POSITIVE_INFINITY })).toEqual(['error']);
	expect(after({ heldBytes: 100 })).toEqual(['info']);
});
