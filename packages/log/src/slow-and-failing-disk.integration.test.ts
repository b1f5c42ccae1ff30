import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LogWriteError } from './errors.ts';
import { key, LogWorld, numbered } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

const MIB = 1024 * 1024;
let world: LogWorld;
afterEach(() => world.end());

const texts = async (log: Parameters<typeof readAll>[0]) => (await readAll(log)).records.map(({ text }) => text);

describe('a disk that refuses writes', () => {
	it('leaves nothing of a rejected append in the log, after a restart or in the dedup window', async () => {
		world = new LogWorld();
		const dir = world.folders.make();
		const log = await world.open(dir);
		await log.append([{ payload: 'a', key: key(1) }]);
		for (const [mode, set] of Object.entries({
			torn: world.disk.tear,
			refused: world.disk.refuse,
			died: world.disk.die,
		})) {
			set();
			await expect(
				log.append([
					{ payload: mode, key: key(2) },
					{ payload: mode, key: { ...key(1), hash: 9 } },
				]),
			).rejects.toThrow(LogWriteError);
			expect(log.stats().trouble).toBeTruthy();
			expect([log.lookUp(key(1)), log.lookUp(key(2)), log.lookUp({ ...key(1), hash: 9 })]).toEqual([
				'duplicate',
				'new',
				'restart',
			]);
		}
		world.disk.mend();
		expect(await texts(log)).toEqual(['a']);
		// A redelivery counts as new.
		await log.append([{ payload: 'b', key: key(2) }]);
		expect(log.stats().trouble).toBeUndefined();
		expect(await texts(log)).toEqual(['a', 'b']);
		const killed = await world.openAsIfKilled(dir);
		await log.close();
		for (const again of [killed, await world.open(dir)]) {
			expect(await texts(again)).toEqual(['a', 'b']);
			expect((await again.read(0)).gaps).toEqual([]);
			expect([1, 2, 3].map((seq) => again.lookUp(key(seq)))).toEqual(['duplicate', 'duplicate', 'new']);
		}
		expect(world.incidents).toEqual([]);
	});

	it('leaves no byte of a write for which it had no room', async () => {
		world = new LogWorld();
		const dir = world.folders.make();
		const log = await world.open(dir);
		await log.append(numbered(10, 0, 100));
		world.disk.refuse();
		await expect(log.append(numbered(10, 0, 100))).rejects.toMatchObject({ code: 'ENOSPC' });
		const files = readdirSync(dir).filter((name) => name.endsWith('.log'));
		expect(files.map((name) => statSync(join(dir, name)).size)).toEqual([log.stats().bytes]);
		await world.openAsIfKilled(dir);
		expect(world.incidents).toEqual([]);
	});

	it('never makes the log assign the offset of a rejected record again', async () => {
		world = new LogWorld();
		const log = await world.open();
		const offsets = new Set<number>();
		for (let n = 0; n < 10; n++) {
			if (n % 3 === 1) world.disk.refuse();
			else world.disk.mend();
			expect(offsets.has(log.nextOffset)).toBe(false);
			offsets.add(log.nextOffset);
			await log.append(numbered(1, n)).catch(() => undefined);
		}
		expect((await readAll(log)).gaps).toEqual([]);
	});

	it('collects no files, and has none left open, however often a write is tried', async () => {
		world = new LogWorld();
		const dir = world.folders.make();
		const log = await world.open(dir, { segmentBytes: 4096 });
		await log.append(numbered(50, 0, 100));
		const files = readdirSync(dir).length;
		const open = readdirSync('/proc/self/fd').length;
		world.disk.refuse();
		for (let n = 0; n < 100; n++) await log.append(numbered(1)).catch(() => undefined);
		expect(readdirSync(dir).length).toBeLessThanOrEqual(files + 1);
		expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(open + 1);
		world.disk.mend();
		await log.append(numbered(1, 50));
		expect((await readAll(log)).records).toHaveLength(51);
	});

	it('fails records that arrived meanwhile too, and a duplicate with its original', async () => {
		world = new LogWorld(50);
		const log = await world.open();
		await log.append([{ payload: 'a' }]);
		world.disk.tear();
		const { started: original } = await world.writing(() => log.append([{ payload: 'b', key: key(1) }]));
		const outcomes: Promise<unknown>[] = [original];
		// There is room again by the time the later records would be written; they fail all the same.
		original.catch(world.disk.mend);
		expect(log.lookUp(key(1))).toBe('duplicate');
		outcomes.push(log.durable(), log.append([{ payload: 'c', key: key(2) }]), log.durable());
		for (const outcome of await Promise.allSettled(outcomes))
			expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ENOSPC' } });
		expect([log.lookUp(key(1)), log.lookUp(key(2))]).toEqual(['new', 'new']);
		world.disk.mend();
		await log.append([{ payload: 'b', key: key(1) }]);
		await log.durable();
		expect(await texts(log)).toEqual(['a', 'b']);
	});

	it('does not keep the log from opening and serving its records', async () => {
		world = new LogWorld();
		const dir = world.folders.make();
		const log = await world.open(dir);
		await log.append(numbered(3));
		await log.close();
		world.disk.refuse();
		const again = await world.open(dir);
		expect(await texts(again)).toEqual(['0', '1', '2']);
		await expect(again.append(numbered(1))).rejects.toThrow(LogWriteError);
	});

	it('keeps the keys of refused records out of dedup snapshots', async () => {
		world = new LogWorld(40);
		const dir = world.folders.make();
		const log = await world.open(dir);
		const mib = (count: number) =>
			Array.from({ length: count }, (_, n) => ({ payload: Buffer.alloc(MIB), key: key(n, 'large') }));
		await log.append(mib(14));
		await log.append(mib(14));
		// The commit that makes a snapshot due is under way when the next record arrives, and that record fails.
		const { started: last } = await world.writing(() => log.append(mib(6)));
		const failing = log.append([{ payload: 'x', key: key(1) }]);
		await last;
		world.disk.refuse();
		await expect(failing).rejects.toThrow(LogWriteError);
		await vi.waitFor(() => expect(readdirSync(dir).some((name) => name.endsWith('.snap'))).toBe(true));
		const killed = await world.openAsIfKilled(dir);
		expect(killed.lookUp(key(1))).toBe('new');
		expect(killed.lookUp(key(5, 'large'))).toBe('duplicate');
	});
});

describe('a commit thread that dies', () => {
	it('fails the requests under way, and is replaced for every log', async () => {
		world = new LogWorld();
		const [one, two] = [await world.open(), await world.open()];
		await Promise.all([one.append(numbered(1)), two.append(numbered(1))]);
		world.disk.die();
		await expect(one.append(numbered(1))).rejects.toMatchObject({ code: 'EWORKER' });
		world.disk.mend();
		await Promise.all([one.append(numbered(1, 1)), two.append(numbered(1, 1))]);
		expect(await texts(one)).toEqual(['0', '1']);
		expect(await texts(two)).toEqual(['0', '1']);
		await world.worker.close();
		await expect(one.append(numbered(1))).rejects.toMatchObject({ code: 'EWORKER' });
	});
});

describe('a disk that takes 150 ms for an fsync', () => {
	it('does not block the event loop: an HTTP server and timers go on during a commit', async () => {
		world = new LogWorld(150);
		const log = await world.open();
		await log.append(numbered(1));
		const server = createServer((_request, response) => response.end('here'));
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		try {
			let answers = 0;
			let turns = 0;
			let committing = true;
			const appended = log.append(numbered(1)).finally(() => {
				committing = false;
			});
			const timer = setInterval(() => turns++, 1);
			while (committing) {
				expect(await (await fetch(url)).text()).toBe('here');
				answers++;
			}
			clearInterval(timer);
			await appended;
			expect(answers).toBeGreaterThanOrEqual(2);
			expect(turns).toBeGreaterThanOrEqual(3);
		} finally {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		}
	});

	it('makes records that arrive during a commit share the next one, in order', async () => {
		world = new LogWorld(150);
		const log = await world.open();
		await log.append(numbered(1));
		const before = world.writes;
		const appended: Promise<{ first: number }>[] = [];
		for (let n = 1; n <= 200; n++) {
			appended.push(log.append(numbered(1, n)));
			await new Promise((resolve) => setImmediate(resolve));
		}
		const firsts = (await Promise.all(appended)).map(({ first }) => first);
		expect(firsts).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
		expect(world.writes - before).toBeLessThan(10);
		expect(await texts(log)).toEqual(Array.from({ length: 201 }, (_, n) => `${n}`));
	});

	it('lets commits wait for more records if so configured', async () => {
		world = new LogWorld();
		const log = await world.open(undefined, { commitEveryMs: 100 });
		await log.append(numbered(1));
		const before = world.writes;
		const appended: Promise<unknown>[] = [];
		for (let n = 1; n <= 20; n++) {
			appended.push(log.append(numbered(1, n)));
			await new Promise((resolve) => setImmediate(resolve));
		}
		await Promise.all(appended);
		expect(world.writes - before).toBeLessThan(5);
	});
});
