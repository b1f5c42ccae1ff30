import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogFullError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { LogOptions } from '../options.ts';
import { key, LogWorld, numbered } from '../testing/log-world.ts';
import { readAll } from '../testing/read-all.ts';

const KIB = 1024;
const small: Partial<LogOptions> = { maxBytes: 64 * KIB, segmentBytes: 8 * KIB };
let world: LogWorld;
let dir: string;
beforeEach(() => {
	world = new LogWorld();
	dir = world.folders.make();
});
afterEach(() => {
	vi.useRealTimers();
	return world.end();
});

/** Appends records of 1 KiB until `enough`. Returns how many were stored. */
async function fill(log: Log, enough: () => boolean): Promise<number> {
	let count = 0;
	for (; !enough(); count++) await log.append(numbered(1, log.nextOffset, KIB));
	return count;
}
const segmentFiles = () => readdirSync(dir).filter((name) => name.endsWith('.log'));
const bytesOnDisk = () => segmentFiles().reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

describe('a full log that refuses', () => {
	it('keeps everything that a cursor has not passed, and accepts more afterwards', async () => {
		const log = await world.open(dir, small);
		const relay = log.cursor('relay');
		const bridge = log.cursor('bridge');
		await expect(fill(log, () => false)).rejects.toThrow(LogFullError);
		const held = log.endOffset;
		expect(held).toBeGreaterThan(50);
		expect(log.stats().bytes).toBeLessThanOrEqual(64 * KIB);
		relay.commit(held);
		await expect(log.append(numbered(1, 0, KIB))).rejects.toThrow(LogFullError);
		bridge.commit(20);
		expect(await log.append(numbered(1, held, KIB))).toEqual({ first: held, count: 1, dropped: false });
		expect(log.startOffset).toBeGreaterThan(0);
		expect(log.startOffset).toBeLessThanOrEqual(20);
		const { records, gaps } = await readAll(log, 20);
		expect([records.length, gaps]).toEqual([held + 1 - 20, []]);
		expect(log.stats().dropped).toMatchObject({ oldest: 0, newest: 0, expired: 0 });
	});

	it('drops even what one large commit filled once it is passed, so it is never full for good', async () => {
		const log = await world.open(dir, { ...small, segmentBytes: 1024 * KIB });
		const cursor = log.cursor('relay');
		await log.append(numbered(60, 0, KIB));
		await expect(log.append(numbered(10, 0, KIB))).rejects.toThrow(LogFullError);
		cursor.commit(log.endOffset);
		expect(await log.append(numbered(10, 60, KIB))).toMatchObject({ first: 60 });
		expect((await readAll(log, 60)).records).toHaveLength(10);
		await log.close();
		const again = await world.open(dir, small);
		expect([again.startOffset, again.endOffset]).toEqual([60, 70]);
		expect(world.incidents).toEqual([]);
	});

	it('does not drop the segment that is being written to', async () => {
		const log = await world.open(dir, { ...small, segmentBytes: 1024 * KIB });
		await log.append(numbered(40, 0, KIB));
		const { started } = await world.writing(() => log.append(numbered(10, 40, KIB)));
		await expect(log.append(numbered(20, 0, KIB))).rejects.toThrow(LogFullError);
		await started;
		expect((await readAll(log)).records).toHaveLength(50);
		expect(await log.append(numbered(20, 50, KIB))).toMatchObject({ first: 50 });
	});

	it('reports a gap to a reader that goes back further than it holds', async () => {
		const log = await world.open(dir, small);
		log.cursor('relay').commit(0);
		await fill(log, () => log.endOffset === 40);
		log.cursor('relay').commit(40);
		await fill(log, () => log.startOffset > 0);
		const start = log.startOffset;
		expect((await log.read(3)).gaps).toMatchObject([{ from: 3, to: start - 1, reason: 'consumed' }]);
		expect((await log.read(start)).gaps).toEqual([]);
		await log.close();
		expect((await (await world.open(dir, small)).read(3)).gaps).toMatchObject([
			{ from: 3, to: start - 1, reason: 'consumed' },
		]);
	});
});

describe('a full log that drops its oldest', () => {
	it('reports to a lagging cursor exactly which range it lost, and counts it', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		const slow = log.cursor('slow');
		const fast = log.cursor('fast');
		await fill(log, () => log.endOffset === 30);
		fast.commit(30);
		slow.commit(5);
		await fill(log, () => log.endOffset === 200);
		const start = log.startOffset;
		expect(start).toBeGreaterThan(100);
		const read = await log.read(slow.position);
		expect(read.gaps).toMatchObject([{ from: 5, to: start - 1, reason: 'dropped-oldest' }]);
		expect(read.records[0]!.offset).toBe(start);
		expect((await log.read(fast.position)).gaps).toMatchObject([{ from: 30, to: start - 1, reason: 'dropped-oldest' }]);
		expect((await log.read(0)).gaps).toMatchObject([
			{ from: 0, to: 4, reason: 'consumed' },
			{ from: 5, to: start - 1, reason: 'dropped-oldest' },
		]);
		expect(log.stats().dropped).toMatchObject({ oldest: start - 5, newest: 0, expired: 0 });
		// The gap is also reported by another process than the one that dropped the records.
		await log.close();
		const again = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		expect((await again.read(again.cursor('slow').position)).gaps).toMatchObject(read.gaps);
		expect(world.incidents).toEqual([]);
	});

	it('stays within its bound on disk, and leaves no file open or behind', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		log.cursor('slow');
		for (let round = 0; round < 5; round++) {
			await Promise.all(Array.from({ length: 20 }, (_, index) => log.append(numbered(1, index, KIB))));
			expect(log.stats().bytes).toBeLessThanOrEqual(64 * KIB);
		}
		await fill(log, () => log.endOffset === 500);
		await vi.waitFor(() => expect(bytesOnDisk()).toBe(log.stats().bytes));
		const open = readdirSync('/proc/self/fd').length;
		await fill(log, () => log.endOffset === 1500);
		await vi.waitFor(() => expect(bytesOnDisk()).toBe(log.stats().bytes));
		expect(readdirSync('/proc/self/fd').length).toBeLessThan(open + 5);
	});

	it('drops nothing for an append that would not fit into an empty log', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		await fill(log, () => log.endOffset === 50);
		await expect(log.append(numbered(64, 0, KIB))).rejects.toThrow(LogFullError);
		expect((await readAll(log)).records).toHaveLength(50);
	});

	it('lets a reader go on in the middle of a dropped segment', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		log.cursor('slow');
		const given = new Set<number>();
		let position = 0;
		const reading = (async () => {
			while (position < 1000) {
				const { records, gaps, next } = await log.read(position, { maxRecords: 7 });
				for (const { offset, payload } of records) {
					expect(Number.parseInt(payload.toString(), 10)).toBe(offset);
					expect(given.has(offset)).toBe(false);
					given.add(offset);
				}
				for (const { from, to, reason } of gaps) {
					expect(reason).toBe('dropped-oldest');
					for (let offset = from; offset <= to; offset++) {
						expect(given.has(offset)).toBe(false);
						given.add(offset);
					}
				}
				position = next;
				if (records.length === 0) await log.waitFor(next);
			}
		})();
		await fill(log, () => log.endOffset >= 1000);
		await reading;
		expect(given.size).toBe(position);
	});
});

describe('a full log that drops the newest', () => {
	it('leaves a gap in place of dropped records, and accepts more when there is room', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-newest' });
		const cursor = log.cursor('relay');
		let dropped = false;
		while (!dropped) ({ dropped } = await log.append(numbered(1, log.nextOffset, KIB)));
		const end = log.endOffset;
		expect(await log.append(numbered(4, 0, KIB))).toEqual({ first: end + 1, count: 4, dropped: true });
		expect(log.lookUp({ source: 'door', boot: '', seq: 1, hash: 1 })).toBe('new');
		cursor.commit(end);
		expect(await log.append(numbered(1, end + 5, KIB))).toEqual({ first: end + 5, count: 1, dropped: false });
		const gap = { from: end, to: end + 4, reason: 'dropped-newest' };
		const { records, gaps, next } = await log.read(end);
		expect([records.map(({ offset }) => offset), gaps, next]).toMatchObject([[end + 5], [gap], end + 6]);
		expect(log.stats().dropped).toMatchObject({ oldest: 0, newest: 5, expired: 0 });
		await log.close();
		expect((await (await world.open(dir, small)).read(end)).gaps).toMatchObject([gap]);
		expect(world.incidents).toEqual([]);
	});
});

describe('the log', () => {
	it('recognizes a redelivery of a dropped record, also after a kill', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		for (let n = 0; n < 300; n++) await log.append([{ payload: `${n}`.padEnd(KIB), key: key(n) }]);
		await vi.waitFor(() => expect(bytesOnDisk()).toBe(log.stats().bytes));
		const killed = await world.openAsIfKilled(dir, { ...small, whenFull: 'drop-oldest' });
		expect(killed.startOffset).toBeGreaterThan(200);
		for (let n = 0; n < 300; n++) expect(killed.lookUp(key(n))).toBe('duplicate');
	});
});

describe('the age bound', () => {
	it('drops older records, passed or not, and reports them', async () => {
		const log = await world.open(dir, { maxAgeMs: 1500, segmentBytes: 8 * KIB });
		const cursor = log.cursor('slow');
		await log.append(numbered(10, 0, KIB));
		cursor.commit(4);
		await vi.waitFor(
			async () => {
				await log.append(numbered(1, log.nextOffset, KIB));
				expect(log.startOffset).toBeGreaterThanOrEqual(10);
			},
			{ timeout: 15_000, interval: 200 },
		);
		const start = log.startOffset;
		expect((await log.read(4)).gaps).toMatchObject([{ from: 4, to: start - 1, reason: 'expired' }]);
		expect(log.stats().dropped.expired).toBe(start - 4);
		expect(log.endOffset).toBeGreaterThan(start);
	});

	it('is measured in log time: setting the wall clock expires nothing and makes no record new', async () => {
		const log = await world.open(dir, { ...small, maxAgeMs: 3600_000 });
		const seen = { source: 'door', boot: '', seq: 1, hash: 1 };
		await log.append([{ payload: 'x', key: seen }]);
		await log.append(numbered(30, 0, KIB));
		await log.append(numbered(1));
		for (const set of [Date.UTC(1970, 0, 1), Date.UTC(2040, 0, 1), Date.UTC(2026, 0, 1)]) {
			vi.useFakeTimers({ toFake: ['Date'], now: set });
			await log.append([{ payload: 'y' }]);
			await new Promise((resolve) => setTimeout(resolve, 1100));
			expect(log.lookUp(seen)).toBe('duplicate');
			const killed = await world.openAsIfKilled(dir, { ...small, maxAgeMs: 3600_000 });
			expect(killed.lookUp(seen)).toBe('duplicate');
			expect(killed.startOffset).toBe(0);
		}
		expect(log.startOffset).toBe(0);
	});
});

describe('the log on disk', () => {
	it('removes no file before its loss is on record', async () => {
		const log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		log.cursor('slow');
		await fill(log, () => log.endOffset === 60);
		for (let n = 0; n < 60; n++) {
			await log.append(numbered(1, log.nextOffset, KIB));
			const killed = await world.openAsIfKilled(dir, { ...small, whenFull: 'drop-oldest' });
			const { records, gaps } = await readAll(killed);
			expect(gaps.every(({ reason }) => reason === 'dropped-oldest')).toBe(true);
			expect(records.length + gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)).toBe(log.endOffset);
			await killed.close();
		}
		expect(world.incidents).toEqual([]);
		expect(existsSync(join(dir, 'damaged'))).toBe(false);
	});

	it('serves nothing it dropped, though the file is still there and the first one kept is gone', async () => {
		let log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		await fill(log, () => segmentFiles().length === 3);
		const [oldest] = segmentFiles();
		const before = world.folders.copy(dir);
		await fill(log, () => log.startOffset > 0);
		const { startOffset, endOffset } = log;
		await log.close();
		const [firstKept, second] = segmentFiles().sort();
		renameSync(join(before, oldest!), join(dir, oldest!));
		rmSync(join(dir, firstKept!));

		log = await world.open(dir, { ...small, whenFull: 'drop-oldest' });
		const { records, gaps } = await readAll(log);
		expect(records[0]!.offset).toBe(Number.parseInt(second!, 10));
		expect(gaps).toMatchObject([
			{ from: 0, to: startOffset - 1, reason: 'dropped-oldest' },
			{ from: startOffset, to: records[0]!.offset - 1, reason: 'damaged' },
		]);
		expect(records).toHaveLength(endOffset - records[0]!.offset);
	});
});
