import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LogOptions } from './options.ts';
import { key, LogWorld, numbered } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

describe('P2 the reports of damage', () => {
	let dir: string;
	let small: LogWorld;
	beforeAll(() => {
		small = new LogWorld();
	});
	afterEach(() => {
		small.incidents.length = 0;
	});
	afterAll(() => small.end());
	const segments = () => readdirSync(dir).filter((name) => name.endsWith('.log'));
	const filled = async (count: number) => {
		dir = small.folders.make();
		const log = await small.open(dir, { segmentBytes: 8192 });
		for (let n = 0; n < count; n += 20)
			await log.append(numbered(20, n, 100).map((record, at) => ({ ...record, key: key(n + at) })));
		await log.close();
	};

	it('come soon for an old segment that nobody reads', async () => {
		await filled(500);
		const path = join(dir, segments()[1]!);
		const bytes = readFileSync(path);
		writeFileSync(path, bytes.fill(0, 1000, 1300));
		const log = await small.open(dir);
		await vi.waitFor(() =>
			expect(small.incidents).toMatchObject([{ what: 'damaged-record', lost: { from: expect.any(Number) } }]),
		);
		const { from, to } = small.incidents[0]!.lost!;
		expect((await readAll(log)).gaps).toMatchObject([{ from, to, reason: 'damaged' }]);
		expect(small.incidents).toHaveLength(1);
	});

	it('cover a log that is gone entirely, which then goes on', async () => {
		await filled(100);
		for (const name of segments()) rmSync(join(dir, name));
		const log = await small.open(dir);
		expect(small.incidents).toMatchObject([{ what: 'missing-records', lost: { from: 0, to: 99 } }]);
		expect(log.lookUp(key(50))).toBe('duplicate');
		expect(await log.append(numbered(1))).toMatchObject({ first: 100 });
		expect((await log.read(0)).gaps).toMatchObject([{ from: 0, to: 99, reason: 'damaged' }]);
	});

	it('do not count offsets as lost that were never written, skipped after a kill or failed', async () => {
		dir = small.folders.make();
		const options = { segmentBytes: 8192 };
		const before = await small.open(dir, options);
		await before.append(numbered(20, 0, 100));
		await before.flush();
		dir = small.folders.asIfKilled(dir);
		const log = await small.open(dir, options);
		small.disk.refuse();
		await log.append(numbered(5)).catch(() => undefined);
		small.disk.mend();
		const { first } = await log.append(numbered(30, 0, 100));
		small.disk.refuse();
		await log.append(numbered(5)).catch(() => undefined);
		small.disk.mend();
		const behind = await log.append(numbered(100, 0, 100));
		await log.close();
		expect(segments()).toHaveLength(3);
		const [one, two, three] = segments() as [string, string, string];
		const lost = async (file: string) => {
			const copy = small.folders.copy(dir);
			rmSync(join(copy, file));
			const reopened = await small.open(copy, options);
			return (await readAll(reopened)).gaps.map(({ from, to }) => [from, to]);
		};
		expect(await lost(two)).toEqual([[first, first + 29]]);
		small.incidents.length = 0;
		expect(await lost(one)).toEqual([[0, 19]]);
		expect(await lost(three)).toEqual([]);
		expect(small.incidents.map((incident) => incident.lost)).toContainEqual({
			from: behind.first,
			to: behind.first + 99,
		});
	});

	it('do not count dropped records as lost, even if the newest meta file is damaged just then', async () => {
		dir = small.folders.make();
		const options: Partial<LogOptions> = { segmentBytes: 4096, maxBytes: 32 * 1024, whenFull: 'drop-oldest' };
		const log = await small.open(dir, options);
		for (let n = 0; n < 120; n++) {
			await log.append(numbered(1, n, 1000));
			for (const name of ['meta.a', 'meta.b']) {
				const copy = small.folders.asIfKilled(dir);
				rmSync(join(copy, name));
				const reopened = await small.open(copy, options);
				const { gaps } = await readAll(reopened);
				expect(gaps.filter(({ reason }) => reason === 'damaged')).toEqual([]);
				await reopened.close();
				small.folders.remove(copy);
			}
		}
		expect(log.startOffset).toBeGreaterThan(50);
		expect(small.incidents).toEqual([]);
	});

	it('treat a dropped segment whose file was not removed in time as dropped', async () => {
		dir = small.folders.make();
		const options: Partial<LogOptions> = { segmentBytes: 4096, maxBytes: 32 * 1024, whenFull: 'drop-oldest' };
		const log = await small.open(dir, options);
		await log.append(numbered(3, 0, 1000));
		const early = small.folders.asIfKilled(dir);
		while (log.startOffset === 0) await log.append(numbered(1, 0, 1000));
		await log.close();
		copyFileSync(
			join(early, segments()[0]!.replace(/\d+\.log/, `${'0'.repeat(20)}.log`)),
			join(dir, `${'0'.repeat(20)}.log`),
		);
		const again = await small.open(dir, options);
		expect(again.startOffset).toBe(log.startOffset);
		expect((await readAll(again)).gaps).toMatchObject([{ from: 0, to: log.startOffset - 1, reason: 'dropped-oldest' }]);
		expect(segments()).not.toContain(`${'0'.repeat(20)}.log`);
		expect(small.incidents).toEqual([]);
	});

	it('say that cursors start over when both meta files are gone; all records are read again', async () => {
		await filled(100);
		for (const name of ['meta.a', 'meta.b']) rmSync(join(dir, name));
		const log = await small.open(dir);
		expect(small.incidents.map(({ what }) => what)).toEqual(['damaged-meta']);
		expect(log.cursor('relay').position).toBe(0);
		expect((await readAll(log)).records).toHaveLength(100);
	});

	it('name damaged snapshots, while the dedup window is rebuilt from the records', async () => {
		await filled(500);
		const snapshots = readdirSync(dir).filter((name) => name.endsWith('.snap'));
		for (const name of snapshots) truncateSync(join(dir, name), 30);
		const log = await small.open(dir);
		expect(small.incidents.map(({ what }) => what)).toEqual(snapshots.map(() => 'damaged-snapshot'));
		for (let n = 0; n < 500; n++) expect(log.lookUp(key(n))).toBe('duplicate');
		expect(log.lookUp(key(500))).toBe('new');
	});

	it('come with a bounded copy of what was cut off', async () => {
		await filled(100);
		mkdirSync(join(dir, 'damaged'));
		for (let n = 0; n < 80; n++) writeFileSync(join(dir, 'damaged', `${n}.bin`), 'old');
		writeFileSync(join(dir, segments().at(-1)!), Buffer.from('rubbish behind the last record'), { flag: 'a' });
		await small.open(dir);
		expect(small.incidents).toMatchObject([{ what: 'damaged-tail', bytes: 30 }]);
		const kept = readdirSync(join(dir, 'damaged'));
		expect(kept.length).toBeLessThanOrEqual(50);
		const text = kept
			.filter((name) => name.startsWith('0000'))
			.map((name) => readFileSync(join(dir, 'damaged', name), 'utf8'));
		expect(text).toEqual(['rubbish behind the last record']);
		// It is reported once.
		small.incidents.length = 0;
		await small.open(small.folders.asIfKilled(dir));
		expect(small.incidents).toEqual([]);
	});

	it('cost no more reading at the start of a log eight times as large', { timeout: 120_000 }, async () => {
		const bytesToOpen = async (mib: number) => {
			dir = small.folders.make();
			const log = await small.open(dir, { segmentBytes: 1024 * 1024 });
			const payload = Buffer.alloc(1000, 'x');
			for (let n = 0; n < mib; n++)
				await log.append(Array.from({ length: 1000 }, (_, at) => ({ payload, key: key(n * 1000 + at) })));
			const costs: number[] = [];
			const copy = small.folders.asIfKilled(dir);
			await log.close();
			for (const opened of [dir, copy]) {
				const before = bytesRead();
				await (await small.open(opened, { segmentBytes: 1024 * 1024 })).close();
				costs.push(bytesRead() - before);
			}
			return costs;
		};
		const [small8, small8Killed] = await bytesToOpen(8);
		const [large64, large64Killed] = await bytesToOpen(64);
		// After a clean close: the last segment, and the headers of 56 more. After a kill: also the records since the last
		// snapshot, at most 32 MiB.
		expect(large64! - small8!).toBeLessThan(3 * 1024 * 1024);
		expect(large64Killed! - small8Killed!).toBeLessThan(40 * 1024 * 1024);
	});
});

/** Number of bytes that this process has read so far. */
function bytesRead(): number {
	return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
}
