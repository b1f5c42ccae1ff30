import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reading } from '@crowdvision/contracts';
import { type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SetClock } from '../testing/set-clock.ts';
import { Clock } from './clock.ts';

const NOW = Date.UTC(2026, 10, 28, 12);
const HOUR = 3600_000;
const OPTIONS = { waitForMs: 600_000, holdoverMs: 24 * HOUR };

let worker: CommitWorker;
beforeAll(() => {
	worker = startCommitWorker();
});
afterAll(() => worker.close());

let dir: string;
beforeEach(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-clock-'));
	onTestFinished(() => rmSync(dir, { recursive: true }));
});

/** Opens a gateway's clock and log in `dir`, as a start of the gateway does. */
async function open(source: SetClock, options = OPTIONS) {
	const clock = Clock.open(dir, source, options, createLogger('test', 'silent'));
	const log = await Log.open({
		dir: join(dir, 'log'),
		worker,
		heldFrom: clock.heldFrom,
		amend: (record) => clock.amend(record),
	});
	clock.attach(log);
	const close = async () => {
		await clock.close();
		await log.close();
	};
	onTestFinished(close);
	let seq = 0;
	/** Stores a reading as the intake does. */
	const take = async (deviceTime?: number) => {
		const receivedAt = clock.now();
		const { era, quality } = clock;
		const reading = {
			n: seq++,
			observedAt: receivedAt,
			receivedAt,
			timeQuality: quality,
			...(era !== undefined && { era }),
			deviceTime,
		};
		await log.append([{ payload: JSON.stringify(reading), at: receivedAt }]);
	};
	/** The readings that a reader of the log sees. */
	const seen = async () =>
		(await log.read(0, { maxRecords: 10_000 })).records.map(({ payload }) => JSON.parse(payload.toString()) as Reading);
	return { clock, log, close, take, seen };
}

describe('Clock', () => {
	it('follows the system clock as synced while nothing contradicts it', async () => {
		const source = new SetClock(NOW);
		const { clock } = await open(source);
		expect([clock.now(), clock.quality, clock.era]).toEqual([NOW, 'synced', undefined]);
		source.pass(5000);
		expect(clock.now()).toBe(NOW + 5000);
	});

	it('is unsynced at a time before the newest one known, and while the system waits for its time', async () => {
		const source = new SetClock(NOW);
		const first = await open(source);
		await first.close();
		source.reboot(NOW - 3 * HOUR);
		const second = await open(source);
		expect(second.clock.quality).toBe('unsynced');
		expect(second.clock.now()).toBeGreaterThanOrEqual(NOW);
		await second.close();
		source.reboot(NOW + HOUR);
		source.reported = { kind: 'waiting' };
		const third = await open(source);
		expect(third.clock.quality).toBe('unsynced');
		source.reported = { kind: 'synchronized', stamp: 1 };
		third.clock.check();
		expect([third.clock.quality, third.clock.now()]).toEqual(['synced', NOW + HOUR]);
	});

	it('accepts a synchronized system clock, also before a newest known time that was wrong', async () => {
		const source = new SetClock(NOW + 365 * 24 * HOUR);
		await (await open(source)).close();
		source.reboot(NOW);
		source.reported = { kind: 'synchronized', stamp: 1 };
		const { clock } = await open(source);
		expect([clock.quality, clock.now()]).toEqual(['synced', NOW]);
	});

	it('keeps its own time when the system clock is set back, and returns to it slowly once that is proven', async () => {
		const source = new SetClock(NOW);
		source.reported = { kind: 'synchronized', stamp: 1 };
		const { clock } = await open(source);
		source.pass(1000);
		source.step(-HOUR);
		expect([clock.now(), clock.quality]).toEqual([NOW + 1000, 'holdover']);
		source.pass(60_000);
		clock.check();
		expect([clock.now(), clock.quality]).toEqual([NOW + 61_000, 'holdover']);

		source.reported = { kind: 'synchronized', stamp: 2 };
		clock.check();
		let last = clock.now();
		let minutes = 0;
		for (; clock.quality === 'holdover'; minutes++) {
			source.pass(60_000);
			clock.check();
			const now = clock.now();
			expect(now).toBeGreaterThan(last);
			last = now;
		}
		expect(minutes).toBe(120);
		source.pass(2000);
		expect(Math.abs(clock.now() - source.wall())).toBeLessThan(10);
	});

	it('accepts a clock that was set back after a day, and at once one that was corrected again', async () => {
		const source = new SetClock(NOW);
		const { clock } = await open(source);
		source.step(-HOUR);
		expect([clock.now(), clock.quality]).toEqual([NOW, 'holdover']);
		source.step(HOUR);
		expect([clock.now(), clock.quality]).toEqual([NOW, 'synced']);

		source.step(-HOUR);
		clock.now();
		source.pass(24 * HOUR);
		clock.check();
		source.pass(3 * HOUR);
		clock.check();
		source.pass(1000);
		expect([clock.quality, clock.now()]).toEqual(['synced', source.wall()]);
	});

	it('continues across restarts of the process during the same boot', async () => {
		const source = new SetClock(NOW);
		const first = await open(source);
		source.step(-HOUR);
		expect(first.clock.now()).toBe(NOW);
		await first.close();
		source.pass(10_000);
		const second = await open(source);
		expect([second.clock.now(), second.clock.quality]).toEqual([NOW + 10_000, 'holdover']);
	});

	it('never goes back, and is right whenever it is synced, however the system clock is changed', async () => {
		const steps = fc.array(
			fc.tuple(
				fc.integer({ min: 0, max: 600_000 }),
				fc.oneof(fc.constant(0), fc.integer({ min: -5 * HOUR, max: HOUR })),
			),
			{
				maxLength: 30,
			},
		);
		await fc.assert(
			fc.asyncProperty(steps, async (changes) => {
				rmSync(join(dir, 'clock.a'), { force: true });
				rmSync(join(dir, 'clock.b'), { force: true });
				const source = new SetClock(NOW);
				const clock = Clock.open(dir, source, { ...OPTIONS, holdoverMs: HOUR }, createLogger('test', 'silent'));
				let last = clock.now();
				for (const [passes, step] of changes) {
					source.pass(passes);
					source.step(step);
					// If it is that far ahead, it may step back once when the system clock is accepted again.
					const isFarAhead = last - source.wall() > 6 * HOUR;
					clock.check();
					const now = clock.now();
					if (!isFarAhead) expect(now).toBeGreaterThanOrEqual(last);
					if (clock.quality === 'synced') expect(Math.abs(now - source.wall())).toBeLessThanOrEqual(1000);
					last = now;
				}
				await clock.close();
			}),
			{ numRuns: 50 },
		);
	});
});

describe('P7 honest time: a machine that starts in 1970', () => {
	it('holds 200 readings back until the time is known, then shows all within a second of the truth', async () => {
		const source = new SetClock(5000);
		const { clock, log, take, seen } = await open(source);
		const began = NOW - 200 * 1000;
		for (let at = 0; at < 200; at++) {
			await take();
			source.pass(1000);
		}
		expect(await seen()).toEqual([]);
		source.set(NOW);
		await take();
		await log.waitFor(200);
		const readings = await seen();
		expect(readings).toHaveLength(201);
		for (const [at, { observedAt, receivedAt, timeQuality }] of readings.entries()) {
			expect(Math.abs(observedAt - (began + at * 1000))).toBeLessThan(1000);
			expect(receivedAt).toBe(observedAt);
			expect(timeQuality).toBe(at < 200 ? 'holdover' : 'synced');
		}
		expect(clock.quality).toBe('synced');
		expect(readings.some((reading) => 'era' in reading)).toBe(false);
	});

	it("judges a device's own time only once it knows the time itself", async () => {
		const source = new SetClock(5000);
		const { take, seen, log } = await open(source);
		await take(NOW - 60_000);
		await take(1000);
		await take(NOW + 48 * HOUR);
		source.set(NOW);
		await take();
		await log.waitFor(3);
		expect((await seen()).slice(0, 3)).toMatchObject([
			{ observedAt: NOW - 60_000, timeQuality: 'synced', receivedAt: NOW },
			{ observedAt: NOW, timeQuality: 'unsynced', deviceTime: 1000 },
			{ observedAt: NOW, timeQuality: 'unsynced', deviceTime: NOW + 48 * HOUR },
		]);
		expect((await seen())[0]).not.toHaveProperty('deviceTime');
	});

	it('sends readings as unsynced, with the device time, if no time comes; corrects them if it does later', async () => {
		const source = new SetClock(5000);
		const { clock, log, take, seen } = await open(source);
		await take(NOW);
		source.pass(OPTIONS.waitForMs);
		expect(log.endOffset).toBe(0);
		clock.check();
		expect(log.endOffset).toBe(1);
		await take();
		for (const reading of await seen()) expect(reading).toMatchObject({ timeQuality: 'unsynced' });
		expect((await seen())[0]).toMatchObject({ deviceTime: NOW });
		expect((await seen())[1]!.observedAt).toBeGreaterThan(Date.UTC(2026));
		source.set(NOW);
		await take();
		expect((await seen()).map(({ receivedAt }) => receivedAt)).toEqual([NOW - OPTIONS.waitForMs, NOW, NOW]);
	});

	it('corrects readings by the same amount wherever the process dies, during the same boot', async () => {
		const source = new SetClock(5000);
		for (let start = 0; start < 4; start++) {
			const { take, seen, log } = await open(source);
			await take();
			source.pass(1000);
			expect(await seen()).toEqual([]);
			// The clock is not closed, so its file is as kill -9 leaves it: as it was when the era began.
			await log.close();
		}
		source.set(NOW);
		const first = await open(source);
		await first.log.waitFor(3);
		const corrected = await first.seen();
		expect(corrected.map(({ receivedAt }) => receivedAt)).toEqual([NOW - 4000, NOW - 3000, NOW - 2000, NOW - 1000]);
		await first.close();
		source.pass(777);
		expect(await (await open(source)).seen()).toEqual(corrected);
	});

	it('leaves readings of an earlier boot as unsynced, and corrects only those of this boot', async () => {
		const source = new SetClock(5000);
		const before = await open(source);
		await before.take();
		await before.close();
		source.reboot(6000);
		const after = await open(source);
		await after.take();
		source.set(NOW);
		await after.take();
		await after.log.waitFor(2);
		expect((await after.seen()).map(({ timeQuality }) => timeQuality)).toEqual(['unsynced', 'holdover', 'synced']);
	});
});
