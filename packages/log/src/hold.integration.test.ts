import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogWorld, numbered } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

let world: LogWorld;
beforeEach(() => {
	world = new LogWorld();
});
afterEach(() => world.end());

const texts = ({ records }: { records: { payload: Buffer }[] }) => records.map(({ payload }) => payload.toString());

describe('holding records back', () => {
	it('hides records from an offset on across segments, and shows them in order on release', async () => {
		const log = await world.open(undefined, { segmentBytes: 2000 });
		await log.append(numbered(5, 0, 100));
		log.holdFrom(log.nextOffset);
		for (let from = 5; from < 200; from += 5) await log.append(numbered(5, from, 100));
		expect([log.endOffset, log.heldBack]).toEqual([5, 195]);
		expect((await readAll(log)).records).toHaveLength(5);
		expect(await log.read(5)).toEqual({ records: [], next: 5, gaps: [] });
		expect((await log.read(0, { held: true })).records).toHaveLength(200);

		const waited = log.waitFor(5);
		log.release();
		await waited;
		const { records, gaps } = await readAll(log);
		expect(records.map(({ offset, text }) => [offset, Number.parseInt(text, 10)])).toEqual(
			Array.from({ length: 200 }, (_, at) => [at, at]),
		);
		expect(gaps).toEqual([]);
	});

	it('hides records from the middle of a segment on, also after skipped offsets', async () => {
		const log = await world.open();
		await log.append(numbered(3));
		world.disk.refuse();
		await expect(log.append(numbered(4, 3))).rejects.toThrow('no space');
		world.disk.mend();
		log.holdFrom(log.nextOffset);
		await log.append(numbered(3, 7));
		const { records, next } = await log.read(0);
		expect(records).toHaveLength(3);
		expect(next).toBeGreaterThanOrEqual(3);
		expect(await log.read(next)).toMatchObject({ records: [] });
		log.release();
		expect(texts(await log.read(next))).toEqual(['7', '8', '9']);
	});

	it('continues from the offset given when the log is opened, and keeps cursors before it', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir);
		await log.append(numbered(4));
		log.holdFrom(4);
		await log.append(numbered(4, 4));
		await log.close();
		const again = await world.open(dir, { heldFrom: 4 });
		const cursor = again.cursor('c', 0);
		const { next } = await again.read(cursor.position);
		cursor.commit(next);
		expect([again.endOffset, again.nextOffset, cursor.position]).toEqual([4, 8, 4]);
		again.release();
		expect(texts(await again.read(cursor.position))).toEqual(['4', '5', '6', '7']);
	});

	it('lets `amend` change what readers get, but not the record on disk', async () => {
		const dir = world.folders.make();
		const log = await world.open(dir, {
			amend: (record) => {
				record.payload = Buffer.from(`${record.payload}!`);
			},
		});
		await log.append(numbered(2));
		expect(texts(await log.read(0))).toEqual(['0!', '1!']);
		await log.close();
		expect(texts(await (await world.open(dir)).read(0))).toEqual(['0', '1']);
	});
});
