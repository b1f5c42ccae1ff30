import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogFullError, LogWriteError } from './errors.ts';
import { MAX_PAYLOAD } from './segment/record.ts';
import { key, LogWorld, numbered } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

let world: LogWorld;
let dir: string;
beforeEach(() => {
	world = new LogWorld();
	dir = world.folders.make();
});
afterEach(() => world.end());

describe('an append', () => {
	it('stores all of a batch or none of it', async () => {
		const log = await world.open(dir);
		const names = { boot: '', seq: 1, hash: 1 };
		for (const bad of [
			{ payload: Buffer.alloc(MAX_PAYLOAD + 1) },
			{ payload: '€'.repeat(MAX_PAYLOAD / 3 + 1) },
			{ payload: 'x', key: { ...names, source: 'x'.repeat(256) } },
			{ payload: 'x', key: { ...names, source: 'x', boot: 'ü'.repeat(128) } },
		]) {
			await expect(log.append([{ payload: 'good', key: key(1) }, bad])).rejects.toThrow(RangeError);
		}
		expect([log.nextOffset, log.lookUp(key(1))]).toEqual([0, 'new']);
		const largest = {
			payload: Buffer.alloc(MAX_PAYLOAD, 7),
			key: { ...names, source: 'x'.repeat(255), boot: 'ü'.repeat(127) },
		};
		expect(await log.append([{ payload: '' }, largest])).toEqual({ first: 0, count: 2, dropped: false });
		const { records, next } = await log.read(0, { maxBytes: 10 * MAX_PAYLOAD });
		expect(records.map(({ payload }) => payload.length)).toEqual([0, MAX_PAYLOAD]);
		expect(next).toBe(2);
		expect(log.lookUp(largest.key)).toBe('duplicate');
	});

	it('stores text, bytes and times as they were given', async () => {
		const log = await world.open(dir);
		const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
		await log.append([
			{ payload: 'grüße ☃ 🚪', at: 1234 },
			{ payload: bytes, at: 0 },
		]);
		const [text, raw] = (await log.read(0)).records;
		expect([text!.payload.toString(), text!.at]).toEqual(['grüße ☃ 🚪', 1234]);
		expect([raw!.payload.equals(bytes), raw!.at]).toEqual([true, 0]);
	});

	it('returns a count of 0 for an empty batch', async () => {
		const log = await world.open(dir);
		expect(await log.append([])).toEqual({ first: 0, count: 0, dropped: false });
		expect(log.endOffset).toBe(0);
	});

	it('rejects what exceeds the memory bound, and accepts it later', async () => {
		const log = await world.open(dir);
		const mib = { payload: Buffer.alloc(MAX_PAYLOAD) };
		const taken = Array.from({ length: 15 }, () => log.append([mib]));
		await expect(log.append([mib])).rejects.toThrow(LogFullError);
		await Promise.all(taken);
		expect(await log.append([mib])).toMatchObject({ first: 15 });
	});

	it('has the same effect through enqueue, which calls back once whatever happens', async () => {
		const log = await world.open(dir, { maxBytes: 64 * 1024 });
		const enqueue = (payload: string | Buffer, source = 'door') =>
			new Promise<Error | undefined>((resolve) => log.enqueue(payload, 5, { ...key(1), source }, resolve));
		const both = [enqueue('one'), enqueue('two', 'window')];
		expect(log.lookUp(key(1))).toBe('duplicate');
		expect(await Promise.all(both)).toEqual([undefined, undefined]);
		expect(await enqueue(Buffer.alloc(MAX_PAYLOAD + 1))).toBeInstanceOf(RangeError);
		expect(await enqueue('x', 'x'.repeat(256))).toBeInstanceOf(RangeError);
		expect(await enqueue(Buffer.alloc(64 * 1024))).toBeInstanceOf(LogFullError);
		world.disk.refuse();
		expect(await enqueue('never there', 'new')).toBeInstanceOf(LogWriteError);
		world.disk.mend();
		expect(log.lookUp({ ...key(1), source: 'new' })).toBe('new');
		const { records } = await log.read(0);
		expect(records.map(({ payload, at }) => [payload.toString(), at])).toEqual([
			['one', 5],
			['two', 5],
		]);
		await log.close();
		expect(await enqueue('late')).toMatchObject({ code: 'ECLOSED' });
	});

	it('calls back every waiter, even if one of them throws', async () => {
		const log = await world.open(dir);
		const thrown = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
		const callbacks: string[] = [];
		log.enqueue('a', 1, undefined, () => {
			throw new Error('a waiter that fails');
		});
		log.enqueue('b', 1, undefined, () => callbacks.push('b'));
		await log.append(numbered(1));
		expect(callbacks).toEqual(['b']);
		expect((await thrown).message).toBe('a waiter that fails');
	});

	it('causes no unhandled rejection when nobody waits for it', async () => {
		const unhandled = vi.fn();
		process.on('unhandledRejection', unhandled);
		const log = await world.open(dir);
		world.disk.refuse();
		void log.append(numbered(1));
		void log.durable();
		void log.append([{ payload: Buffer.alloc(MAX_PAYLOAD + 1) }]);
		await expect(log.durable()).rejects.toThrow(LogWriteError);
		await new Promise((resolve) => setImmediate(resolve));
		process.off('unhandledRejection', unhandled);
		expect(unhandled).not.toHaveBeenCalled();
	});
});

describe('closing', () => {
	it('settles pending appends, at once even if commits wait for more records', async () => {
		const log = await world.open(dir, { commitEveryMs: 3600_000 });
		const appended = log.append(numbered(3));
		await log.close();
		expect(await appended).toMatchObject({ first: 0, count: 3 });
		const again = await world.open(dir);
		expect((await readAll(again)).records).toHaveLength(3);
		expect([again.nextOffset, again.id]).toEqual([3, log.id]);
		expect(world.incidents).toEqual([]);
	});

	it('wakes waiting readers, and refuses everything afterwards', async () => {
		const log = await world.open(dir);
		const waiting = log.waitFor(10);
		await log.close();
		await waiting;
		await log.waitFor(10);
		await expect(log.append(numbered(1))).rejects.toMatchObject({ code: 'ECLOSED' });
		await expect(log.read(0)).rejects.toMatchObject({ code: 'ECLOSED' });
		await log.flush();
		await expect(log.close()).resolves.toBeUndefined();
	});

	it('rejects when the last state could not be written, without losing a record', async () => {
		const log = await world.open(dir);
		await log.append([{ payload: 'kept', key: key(1) }]);
		for (const name of readdirSync(dir)) if (name.startsWith('meta')) world.folders.remove(join(dir, name));
		for (const name of ['meta.a', 'meta.b']) mkdirSync(join(dir, name));
		await expect(log.close()).rejects.toThrow('EISDIR');
		const again = await world.open(dir);
		expect((await readAll(again)).records.map(({ text }) => text)).toEqual(['kept']);
		expect(again.lookUp(key(1))).toBe('duplicate');
		await again.close();
	});
});

describe('waiting and reading', () => {
	it('end the wait when the record is durable, and when the signal aborts', async () => {
		const log = await world.open(dir);
		const order: string[] = [];
		const third = log.waitFor(2).then(() => order.push('third'));
		const given = new AbortController();
		const never = log.waitFor(1000, given.signal).then(() => order.push('never'));
		await log.append(numbered(2));
		order.push('two');
		await log.append(numbered(1));
		await third;
		expect(order).toEqual(['two', 'third']);
		given.abort();
		await never;
		await log.waitFor(1000, given.signal);
		await log.waitFor(0);
	});

	it('show nothing that is not on disk', async () => {
		const log = await world.open(dir);
		const appended = log.append(numbered(5));
		expect(await log.read(0)).toEqual({ records: [], next: 0, gaps: [] });
		await appended;
		expect((await log.read(0)).records).toHaveLength(5);
	});

	it('obey the limits, but return at least one record however large', async () => {
		const log = await world.open(dir);
		await log.append([...numbered(3), { payload: Buffer.alloc(600_000, 1) }, ...numbered(2)]);
		const counts = async (limits: object) => {
			const found: number[] = [];
			for (let position = 0; position < log.endOffset; ) {
				const { records, next } = await log.read(position, limits);
				found.push(records.length);
				position = next;
			}
			return found;
		};
		expect(await counts({ maxRecords: 2 })).toEqual([2, 2, 2]);
		expect(await counts({ maxBytes: 1 })).toEqual([1, 1, 1, 1, 1, 1]);
		expect(await counts({ maxBytes: 4 })).toEqual([4, 2]);
	});

	it('go through more segments than files may be open, for many readers at once', async () => {
		const log = await world.open(dir, { segmentBytes: 4096 });
		for (let n = 0; n < 1500; n += 10) await log.append(numbered(10, n, 100));
		expect(log.stats().segments).toBeGreaterThan(30);
		const readers = Array.from({ length: 12 }, (_, index) => readAll(log, index * 100, 1 + index * 7));
		for (const [index, { records, gaps }] of (await Promise.all(readers)).entries()) {
			expect(gaps).toEqual([]);
			expect(records.map(({ text }) => Number.parseInt(text, 10))).toEqual(
				Array.from({ length: 1500 - index * 100 }, (_, n) => n + index * 100),
			);
		}
	});
});
