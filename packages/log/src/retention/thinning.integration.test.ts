import { copyFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogFullError } from '../errors.ts';
import type { Log } from '../log.ts';
import { key, LogWorld } from '../testing/log-world.ts';
import { covers, readAll } from '../testing/read-all.ts';

const thin = new URL('../testing/every-tenth.ts', import.meta.url).href;
const options = { whenFull: 'thin', thin, maxBytes: 2 * 1024 * 1024, segmentBytes: 64 * 1024 } as const;

let world: LogWorld;
beforeEach(() => {
	world = new LogWorld();
});
afterEach(() => world.end());

/** Appends `count` numbered records, waiting while there is no room. */
async function fill(log: Log, count: number, from = 0): Promise<void> {
	for (let at = from; at < from + count; ) {
		const records = Array.from({ length: Math.min(100, from + count - at) }, (_, index) => ({
			payload: `${at + index}`.padEnd(150),
			at: at + index,
			key: key(at + index),
		}));
		try {
			await log.append(records);
			at += records.length;
		} catch (error) {
			if (!(error instanceof LogFullError)) throw error;
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	}
}

const settled = (log: Log) => waitFor('thinning to rest', () => log.stats().bytes < options.maxBytes * 0.8, 60_000);
const thinFiles = (dir: string) => readdirSync(dir).filter((name) => name.endsWith('.thin.log'));

/** Checks that every record is either there under its offset or reported as thinned. */
async function expectAccounted(log: Log, count: number): Promise<void> {
	const { records, gaps } = await readAll(log);
	for (const { offset, text } of records) expect(Number.parseInt(text, 10)).toBe(offset);
	const isGone = covers(gaps);
	const there = new Set(records.map(({ offset }) => offset));
	expect(there.size).toBe(records.length);
	for (let offset = 0; offset < count; offset++) expect(there.has(offset), `${offset}`).toBe(!isGone(offset));
	expect(new Set(gaps.map(({ reason }) => reason))).toEqual(new Set(['thinned']));
	const gone = gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0);
	expect(gone).toBe(count - records.length);
	for (const { firstAt, lastAt, from, to } of gaps) {
		if (firstAt !== undefined) expect(firstAt).toBeLessThanOrEqual(from);
		expect(lastAt).toBeGreaterThanOrEqual(to);
	}
}

describe('a log that is thinned', () => {
	it('accepts several times its size, keeps offsets, and reports every record left out', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir, options);
		log.cursor('away', 0);
		await fill(log, 24_000);
		await settled(log);
		expect(log.stats().bytes).toBeLessThan(options.maxBytes);
		await expectAccounted(log, 24_000);
		const { dropped } = log.stats();
		expect(dropped.thinned).toBeGreaterThan(5000);
		expect(dropped).toMatchObject({ oldest: 0, newest: 0, expired: 0 });
		expect(log.cursor('away').tally.balance()).toMatchObject({ imbalance: 0 });
		await log.close();
		await expectAccounted(await world.open(dir, options), 24_000);
	});

	it('holds the old segment or the new one after a kill at any moment, never both', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir, options);
		log.cursor('away', 0);
		let filling = true;
		const filled = fill(log, 14_000).finally(() => {
			filling = false;
		});
		let killed = 0;
		while (filling) {
			if (thinFiles(dir).length > killed) {
				killed++;
				const copy = world.folders.asIfKilled(dir);
				const again = await world.open(copy, options);
				const { records } = await readAll(again);
				for (const [at, { offset, text }] of records.entries()) {
					expect(Number.parseInt(text, 10)).toBe(offset);
					if (at > 0) expect(offset).toBeGreaterThan(records[at - 1]!.offset);
				}
				expect(world.incidents).toEqual([]);
				await again.close();
			}
			await new Promise((resolve) => setImmediate(resolve));
		}
		await filled;
		expect(killed).toBeGreaterThan(0);
	});

	it('prefers the rewritten segment unless it is damaged, and discards an interrupted rewrite', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir, options);
		log.cursor('away', 0);
		await fill(log, 6500);
		const whole = world.folders.copy(dir);
		await fill(log, 9500, 6500);
		await waitFor('a rewritten segment', () => thinFiles(dir).length > 0);
		await settled(log);
		await log.close();
		const [name] = thinFiles(dir);
		const old = name!.replace('.thin', '');
		const first = Number(name!.slice(0, 20));
		const isWhole = (records: readonly { offset: number }[]) =>
			records.filter(({ offset }) => offset >= first && offset < first + 100).length === 100;

		copyFileSync(join(whole, old), join(dir, old));
		const both = world.folders.copy(dir);
		await expectAccounted(await world.open(both, options), 16_000);
		expect(readdirSync(both)).not.toContain(old);

		const damaged = world.folders.copy(dir);
		writeFileSync(join(damaged, name!), 'no header');
		const { records } = await readAll(await world.open(damaged, options));
		expect(isWhole(records)).toBe(true);

		const cut = world.folders.copy(dir);
		renameSync(join(cut, name!), join(cut, `${name}.tmp`));
		const again = await world.open(cut, options);
		expect(isWhole((await readAll(again)).records)).toBe(true);
		expect(readdirSync(cut)).not.toContain(`${name}.tmp`);
		expect(world.incidents.filter(({ what }) => what !== 'damaged-meta')).toEqual([]);
	});

	it('recognizes redeliveries of records left out, also after a crash', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir, options);
		log.cursor('away', 0);
		await fill(log, 12_000);
		await waitFor('a rewritten segment', () => log.stats().dropped.thinned > 0);
		const again = await world.openAsIfKilled(dir, options);
		for (const seq of [2100, 2500, 2501, 3000, 3505, 11_999])
			expect(again.lookUp(key(seq)), `${seq}`).toBe('duplicate');
	});

	it('does not thin a segment that a consumer is in or near', async () => {
		const log = await world.open(undefined, options);
		log.cursor('away', 0);
		await fill(log, 2000);
		const cursor = log.cursor('near', 2000);
		await fill(log, 14_000, 2000);
		await settled(log);
		const { gaps } = await readAll(log, cursor.position);
		expect(gaps.length).toBeGreaterThan(0);
		for (const { from } of gaps) expect(from).toBeGreaterThanOrEqual(4000 - 400);
	});

	it('drops and reports the oldest records when thinning is not enough', async () => {
		const log = await world.open(undefined, { ...options, maxBytes: 512 * 1024, segmentBytes: 32 * 1024 });
		log.cursor('away', 0);
		await fill(log, 12_000);
		const { gaps, records, dropped } = await waitFor('a look while nothing is rewritten', async () => {
			const before = log.stats();
			const read = await readAll(log);
			const { dropped, bytes } = log.stats();
			expect(bytes).toBeLessThanOrEqual(512 * 1024);
			return isDeepStrictEqual(before.dropped, dropped) && { ...read, dropped };
		});
		expect(dropped.oldest).toBeGreaterThan(0);
		expect(gaps[0]).toMatchObject({ from: 0, reason: 'dropped-oldest' });
		expect(gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)).toBe(12_000 - records.length);
		expect(dropped.oldest + dropped.thinned).toBe(12_000 - records.length);
	});

	it('drops its oldest records when its policy is broken', async () => {
		const log = await world.open(undefined, { ...options, thin: 'data:text/javascript,throw new Error("broken")' });
		log.cursor('away', 0);
		await fill(log, 12_000);
		expect(log.stats().dropped).toMatchObject({ thinned: 0 });
		expect(log.stats().dropped.oldest).toBeGreaterThan(0);
	});
});
