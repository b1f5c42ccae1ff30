import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshMs, longestFreshMs, METRIC_KEYS } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Cadences } from './cadences.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 10, 22);
const learning = () => new Cadences({ declared: () => undefined });

/** What the last of these readings says, `pauses` minutes after one another. */
function after(cadences: Cadences, pauses: readonly number[], metric = 'temperature'): number {
	let at = START;
	let freshFor = cadences.heard('s', metric, at);
	for (const minutes of pauses) {
		at += minutes * MINUTE;
		freshFor = cadences.heard('s', metric, at);
	}
	return freshFor / MINUTE;
}

describe('P13 right in meaning: how long a value holds follows how often its sensor speaks', () => {
	// Two and a half pauses, in whole minutes, from the metric's own freshness to its longest.
	it.each<[string, number[], number, string?]>([
		['one that was never heard before', [], 5],
		['every ten seconds', [1 / 6, 1 / 6, 1 / 6], 5],
		['every two minutes', [2, 2, 2], 5],
		['every 5.5 minutes, from the second reading on', [5.5], 14],
		['every six minutes', [6, 6, 6, 6], 15],
		['every ten minutes, give or take', [10, 10.1, 9.8, 10.2, 10], 26],
		['every hour', [60, 60, 60], 150],
		['every hour, people', [60, 60, 60], 120, 'peopleCount'],
		['every hour, the battery', [60, 60, 60], 150, 'battery'],
		['every day, the battery', [1440, 1440], 3600, 'battery'],
		['every four hours, which is longer than a value may hold', [240, 240], 180],
		['by two messages every ten minutes', [0.1, 9.9, 0.1, 9.9, 0.1], 25],
		['every ten minutes, with one message lost', [10, 10, 20, 10, 10], 25],
		['every minute, with an outage of two hours', [1, 1, 1, 120, 1], 5],
		['every minute, with an outage as the first thing', [120, 1], 5],
		['every six minutes after a week away', [7 * 1440, 6], 15],
		['every minute, since it was told to', [30, 30, 30, 1, 1, 1, 1, 1, 1, 1, 1], 5],
	])('%s', (_text, pauses, minutes, metric) => {
		expect(after(learning(), pauses, metric)).toBe(minutes);
	});

	it('by what the registry says, at once and whatever was learnt', () => {
		let declared: number | undefined;
		const cadences = new Cadences({ declared: () => declared });
		expect(after(cadences, [1, 1, 1])).toBe(5);
		declared = 3600;
		expect(cadences.heard('s', 'temperature', START + 4 * MINUTE)).toBe(150 * MINUTE);
		declared = 7 * 24 * 3600;
		expect(cadences.heard('s', 'temperature', START + 5 * MINUTE)).toBe(180 * MINUTE);
		declared = 1;
		expect(cadences.heard('s', 'temperature', START + 6 * MINUTE)).toBe(5 * MINUTE);
		declared = undefined;
		expect(cadences.heard('s', 'temperature', START + 7 * MINUTE)).toBe(5 * MINUTE);
	});

	it('and is live in between at any cadence up to an hour, one lost message included', () => {
		const metric = fc.constantFrom(...METRIC_KEYS.filter((key) => !key.startsWith('people')));
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 3600 }), fc.nat(100), metric, (seconds, jitter, key) => {
				const cadences = learning();
				let at = START;
				let freshFor = 0;
				for (let n = 0; n < 20; n++) {
					at += seconds * 1000 + ((n * jitter) % 100);
					freshFor = cadences.heard('s', key, at);
					if (n >= 2) expect(freshFor).toBeGreaterThanOrEqual(2 * seconds * 1000);
				}
			}),
		);
	});

	it('and never leaves the bounds of its metric nor changes for what comes late, whatever the times', () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: -HOUR, max: 100 * HOUR }), { maxLength: 50 }),
				fc.constantFrom(...METRIC_KEYS),
				(steps, metric) => {
					const cadences = learning();
					let at = START;
					cadences.heard('s', metric, at);
					for (const step of steps) {
						const before = cadences.of('s').get(metric);
						const freshFor = cadences.heard('s', metric, at + step);
						expect(freshFor).toBeGreaterThanOrEqual(freshMs(metric));
						expect(freshFor).toBeLessThanOrEqual(longestFreshMs(metric));
						if (step <= 0 && before !== undefined) expect(freshFor).toBe(before);
						at = Math.max(at, at + step);
					}
				},
			),
		);
	});

	it('and for the count of a room it is that of its rarest door, so that no older count outlasts a newer', () => {
		const cadences = learning();
		const heard = (door: string, minutes: number) =>
			cadences.heardDoor(door, 'peopleCount', START + minutes * MINUTE, 'b', 'hall') / MINUTE;
		expect([heard('rare', 0), heard('rare', 30)]).toEqual([5, 75]);
		expect([heard('often', 31), heard('often', 32)]).toEqual([75, 75]);
		expect(cadences.ofRoom('b', 'hall', 'peopleCount')).toBe(75 * MINUTE);
		expect(cadences.ofRoom('b', 'attic', 'peopleCount')).toBe(5 * MINUTE);
		// A door that was taken away does not speak for the room for ever.
		expect(heard('often', 32 + 25 * 60)).toBe(5);
	});

	it('and tells who follows it of each change, once', () => {
		const cadences = learning();
		const changes: (number | undefined)[] = [];
		cadences.follow((sensorId) => changes.push(cadences.of(sensorId).get('temperature')));
		after(cadences, [6, 6, 6, 6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
		expect(changes).toEqual([15 * MINUTE, 5 * MINUTE]);
	});

	it('and is known again after a restart, of those who speak rarely', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-cadences-'));
		onTestFinished(() => rm(dir, { recursive: true }));
		const open = () => new Cadences({ path: join(dir, 'cadences'), declared: () => undefined });
		const first = open();
		after(first, [60, 60]);
		first.heard('fast', 'noise', START);
		first.heard('fast', 'noise', START + 1000);
		await first.close();
		const second = open();
		expect(second.heard('s', 'temperature', START + 3 * HOUR)).toBe(150 * MINUTE);
		expect(second.of('fast')).toEqual(new Map());
		await second.close();
	});
});
