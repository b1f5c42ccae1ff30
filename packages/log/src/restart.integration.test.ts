import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DedupKey } from './segment/record.ts';
import { key, LogWorld, numbered } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

let world: LogWorld;
let dir: string;
beforeEach(() => {
	world = new LogWorld();
	dir = world.folders.make();
});
afterEach(() => world.end());

describe('the dedup window', () => {
	it('knows a record from the moment it is appended, across a clean stop and a kill', async () => {
		const log = await world.open(dir);
		expect(log.lookUp(key(1))).toBe('new');
		const appended = log.append([{ payload: '1', key: key(1) }]);
		expect(log.lookUp(key(1))).toBe('duplicate');
		await appended;
		const killed = await world.openAsIfKilled(dir);
		await log.close();
		for (const again of [killed, await world.open(dir)]) {
			expect([again.lookUp(key(1)), again.lookUp({ ...key(1), hash: 99 }), again.lookUp(key(2))]).toEqual([
				'duplicate',
				'restart',
				'new',
			]);
		}
	});

	it('gives every key the same verdict after a kill as before', async () => {
		const options = { segmentBytes: 4096, dedup: { maxPerSource: 20 } };
		let log = await world.open(dir, options);
		const seen: DedupKey[] = [];
		for (let n = 0; n < 300; n++) {
			const each = { source: `s${n % 7}`, boot: n % 3 === 0 ? 'b' : '', seq: (n * 7) % 40, hash: n % 2 };
			seen.push(each);
			await log.append([{ payload: `${n}`, key: each }]);
			if (n === 100) {
				await log.close();
				log = await world.open(dir, options);
			}
		}
		const killed = await world.openAsIfKilled(dir, options);
		const verdicts = (judge: typeof log) =>
			seen.map((each) => [0, 1, 2].map((hash) => judge.lookUp({ ...each, hash })).join());
		expect(verdicts(killed)).toEqual(verdicts(log));
		expect(new Set(verdicts(log).join().split(',')).size).toBe(4);
	});
});

describe('cursors', () => {
	it('are unchanged after a clean stop, and never past a commit after a kill', async () => {
		const log = await world.open(dir);
		await log.append(numbered(10));
		const relay = log.cursor('relay');
		log.cursor('late', 7);
		relay.commit(4);
		await relay.flush();
		relay.commit(6);
		const killed = await world.openAsIfKilled(dir);
		expect(Object.fromEntries(killed.cursors())).toEqual({ relay: 4, late: 7 });
		await log.close();
		const again = await world.open(dir);
		expect(again.cursor('relay', 0).position).toBe(6);
		again.cursor('relay').commit(2);
		expect(again.cursors().get('relay')).toBe(2);
		again.cursor('late').remove();
		again.cursor('late-again').remove();
		await again.close();
		expect(Object.fromEntries((await world.open(dir)).cursors())).toEqual({ relay: 2 });
	});

	it('never pass what is durable, and refuse anything that is not an offset', async () => {
		const log = await world.open(dir);
		await log.append(numbered(3));
		const cursor = log.cursor('relay');
		cursor.commit(1e9);
		expect(cursor.position).toBe(3);
		for (const wrong of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY])
			expect(() => cursor.commit(wrong)).toThrow(RangeError);
		expect(cursor.position).toBe(3);
		cursor.remove();
		cursor.commit(1);
		expect(log.cursors().size).toBe(0);
	});
});

describe('offsets', () => {
	it('are never assigned again after a kill, and the log keeps its id', async () => {
		const log = await world.open(dir);
		await log.append(numbered(5));
		void log.append(numbered(5));
		const given = log.nextOffset;
		const killed = await world.openAsIfKilled(dir);
		expect(killed.id).toBe(log.id);
		expect(killed.nextOffset).toBeGreaterThanOrEqual(given);
		const { first } = await killed.append(numbered(1));
		expect(first).toBeGreaterThanOrEqual(given);
		expect((await world.open()).id).not.toBe(log.id);
	});

	it('are not assigned again when only the dedup snapshot is left', async () => {
		const log = await world.open(dir);
		await log.append([{ payload: 'x', key: key(1) }]);
		await log.close();
		for (const name of readdirSync(dir)) if (!name.endsWith('.snap')) world.folders.remove(join(dir, name));
		const again = await world.open(dir);
		expect(again.nextOffset).toBeGreaterThan(0);
		await again.append([{ payload: 'y', key: key(2) }]);
		const killed = await world.openAsIfKilled(dir);
		expect(killed.lookUp(key(2))).toBe('duplicate');
	});
});

describe('an obstacle in the folder', () => {
	it('is moved aside and reported, be it a folder in place of a file or the reverse', async () => {
		for (const name of ['meta.a', 'meta.b', '00000000000000000007.log', 'dedup-00000000000000000003.snap'])
			mkdirSync(join(dir, name));
		writeFileSync(join(dir, 'damaged'), 'a file');
		const log = await world.open(dir);
		expect(world.incidents.filter(({ what }) => what === 'obstacle')).toHaveLength(5);
		await log.append(numbered(3));
		await log.close();
		expect((await readAll(await world.open(dir))).records).toHaveLength(3);
	});

	it('does not stop the log when the listener for incidents throws', async () => {
		mkdirSync(join(dir, 'meta.a'));
		const onIncident = vi.fn(() => {
			throw new Error('a listener that fails');
		});
		const log = await world.open(dir, { onIncident });
		expect(onIncident).toHaveBeenCalledOnce();
		expect(log.stats().incidents).toBe(1);
		await log.append(numbered(1));
	});

	it('is left alone if its name is not one of the log', async () => {
		writeFileSync(join(dir, 'notes.txt'), 'mine');
		writeFileSync(join(dir, '7.log'), 'mine');
		const log = await world.open(dir);
		await log.append(numbered(1));
		await log.close();
		expect(readdirSync(dir)).toEqual(expect.arrayContaining(['notes.txt', '7.log']));
		expect(world.incidents).toEqual([]);
	});
});
