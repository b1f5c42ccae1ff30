import { expect, it } from 'vitest';
import { bridgeSettings } from './bridge/config/bridge-settings.ts';
import { milliseconds, timerMilliseconds } from './measures.ts';

const LONGEST = 2 ** 31 - 1;

it('a duration is read in ms, and for a timer limited to what a timer can be', () => {
	expect([milliseconds('90d'), milliseconds('1500ms'), timerMilliseconds('1500ms')]).toEqual([
		90 * 24 * 3600_000,
		1500,
		1500,
	]);
	expect(timerMilliseconds('90d')).toBe(LONGEST);
	const longer = {
		returnAfter: '90d',
		keepAlive: '90d',
		connectTimeout: '90d',
		backOff: { min: '90d', max: '90d' },
		lazy: { idle: '90d' },
	};
	expect(bridgeSettings({ name: 'b', url: 'mqtt://x', topics: [], ...longer }, 'g')).toMatchObject({
		returnAfterMs: LONGEST,
		keepAliveMs: LONGEST,
		connectTimeoutMs: LONGEST,
		backOff: { minMs: LONGEST, maxMs: LONGEST },
		lazy: { idleMs: LONGEST },
	});
});
