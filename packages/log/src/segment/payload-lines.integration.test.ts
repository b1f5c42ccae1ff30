import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '@crowdvision/testing/seeded';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../log.ts';
import { placesOf } from '../testing/damage.ts';
import { LogWorld, numbered } from '../testing/log-world.ts';
import { PayloadLines } from './payload-lines.ts';

let world: LogWorld;
beforeEach(() => {
	world = new LogWorld();
});
afterEach(() => world.end());

/** Reads a log to its end in batches of random size, both ways, and compares them. Returns the payloads and gaps. */
async function readBothWays(log: Log, random: () => number): Promise<{ texts: string[]; gaps: object[] }> {
	const lines = new PayloadLines();
	const all = { texts: [] as string[], gaps: [] as object[] };
	for (let from = 0; from < log.endOffset; ) {
		const limits = { maxRecords: 1 + Math.floor(random() * 400), maxBytes: 1 + Math.floor(random() * 30_000) };
		const { records, ...rest } = await log.read(from, limits);
		expect(await log.readLines(from, limits, lines)).toEqual(rest);
		expect(lines.records).toEqual(records.map(({ offset, at }) => ({ offset, at })));
		const texts = records.map(({ payload }) => payload.toString());
		expect(lines.bytes.toString()).toBe(texts.map((text) => `${text}\n`).join(''));
		all.texts.push(...texts);
		all.gaps.push(...rest.gaps);
		from = rest.next;
	}
	return all;
}

describe('the payloads of records as lines', () => {
	it('are those of the records that `read` returns, over damage, held-back and amended records', async () => {
		const dir = world.folders.make();
		const small = { segmentBytes: 64 * 1024 };
		const whole = await world.open(dir, small);
		for (let from = 0; from < 4000; from += 200) await whole.append(numbered(200, from, 20 + (from % 700)));
		await whole.close();
		const places = placesOf(dir);
		for (const offset of [0, 700, 701, 702, 1999, 3300]) {
			const { file, to } = places.get(offset)!;
			writeSync(openSync(join(dir, file), 'r+'), '#', to - 1);
		}
		const isOdd = (offset: number) => offset % 2 === 1;
		const log = await world.open(dir, {
			...small,
			mayAmend: (offset) => offset > 2500,
			amend: (record) => {
				if (record.offset <= 2500 || !isOdd(record.offset)) return;
				record.at += 1;
				record.payload = Buffer.from(`amended ${record.offset}, longer than it was`);
			},
			heldFrom: 3800,
		});
		const { texts, gaps } = await readBothWays(log, seeded(1));
		expect(gaps).toMatchObject([0, 700, 1999, 3300].map((from) => ({ from, reason: 'damaged' })));
		expect(texts).toHaveLength(3800 - 6);
		expect(texts.filter((text) => text.startsWith('amended'))).toHaveLength(650);
	});

	it('refuse no record for its size, and one after the other may be read into the same memory', async () => {
		const log = await world.open();
		const payloads = [10, 1_000_000, 3, 300_000, 300_000].map((size, index) => String(index).repeat(size));
		await log.append(payloads.map((payload) => ({ payload })));
		expect((await readBothWays(log, seeded(2))).texts).toEqual(payloads);
	});
});

describe('readers that continue where an earlier read ended', () => {
	it('see what was appended and removed meanwhile', async () => {
		const log = await world.open(undefined, { maxBytes: 256 * 1024, segmentBytes: 64 * 1024, whenFull: 'drop-oldest' });
		await log.append(numbered(500, 0, 100));
		const begun = await log.read(0, { maxRecords: 10 });
		await log.append(numbered(100, 500, 100));
		const { records, next } = await log.read(begun.next, { maxRecords: 1000 });
		expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 590 }, (_, index) => index + 10));
		const stopped = await log.read(100, { maxRecords: 10 });
		for (let from = next; from < 5000; from += 100) await log.append(numbered(100, from, 100));
		const later = await log.read(stopped.next, { maxRecords: 1 });
		expect(later.records[0]!.offset).toBe(log.startOffset);
		expect(later.gaps).toMatchObject([{ from: stopped.next, to: log.startOffset - 1, reason: 'dropped-oldest' }]);
	});
});
