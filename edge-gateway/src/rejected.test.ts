import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitWorker, startCommitWorker } from '@crowdvision/log';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Rejected, type Rejection, sampleOf } from './rejected.ts';
import { breakableDisk } from './testing/gateway-world.ts';

const disk = breakableDisk();
let dir: string;
let worker: CommitWorker;
let opened: Rejected[] = [];
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-rejected-'));
	worker = startCommitWorker(disk.faults);
	opened = [];
});
afterEach(async () => {
	disk.mend();
	for (const list of opened) await list.close();
	await worker.close();
	await rm(dir, { recursive: true });
});

async function open(): Promise<Rejected> {
	const list = await Rejected.open(join(dir, 'rejected'), worker, () => undefined);
	opened.push(list);
	return list;
}
const rejection = (at: number, change: Partial<Rejection> = {}): Rejection => ({
	at,
	transport: 'http',
	source: 'POST /ingest',
	sender: 'd',
	domainName: 'acme',
	code: 'not_json',
	message: 'no',
	sample: '{',
	...change,
});
const all = () => true;
const times = (list: Rejected, limit = 2000) => list.list(limit, all).map(({ at }) => at);

describe('the list of what was refused', () => {
	it('is newest first, and shows each only to whom it is for', async () => {
		const list = await open();
		for (let i = 1; i <= 4; i++) await list.add(rejection(i, { domainName: i % 2 ? 'acme' : 'other' }));
		expect(times(list)).toEqual([4, 3, 2, 1]);
		expect(list.list(10, ({ domainName }) => domainName === 'acme').map(({ at }) => at)).toEqual([3, 1]);
		expect(times(list, 2)).toEqual([4, 3]);
	});

	it('is there after a restart, of which the newest thousand are on hand', async () => {
		const first = await open();
		await Promise.all(Array.from({ length: 1500 }, (_, i) => first.add(rejection(i))));
		expect(times(first)).toHaveLength(1000);
		await first.close();
		const second = await open();
		expect(times(second)).toEqual(Array.from({ length: 1000 }, (_, i) => 1499 - i));
	});

	it('takes what comes while the disk refuses writes, and holds nobody up', async () => {
		const list = await open();
		disk.breakDown();
		await list.add(rejection(1));
		expect(times(list)).toEqual([1]);
		disk.mend();
		await list.add(rejection(2));
		await list.close();
		expect(times(await open())).toEqual([2]);
	});
});

describe('the sample of a payload', () => {
	it('is its beginning, in characters that are whole', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (text) => {
				fc.pre(!/[^\P{Cc}\t\n\r]/u.test(text) && text.isWellFormed() && !text.includes('\ufffd'));
				const sample = sampleOf(Buffer.from(text));
				expect(text.startsWith(sample)).toBe(true);
				expect(Buffer.byteLength(sample)).toBeGreaterThanOrEqual(Math.min(Buffer.byteLength(text), 253));
			}),
		);
		for (const char of ['a', 'ü', '€', '😀']) {
			for (let shift = 0; shift < 4; shift++) {
				const text = `${'x'.repeat(shift)}${char.repeat(300)}`;
				expect(sampleOf(Buffer.from(text))).toMatch(new RegExp(`^x{${shift}}(${char}){63,256}$`, 'u'));
			}
		}
	});

	it('is hex where it is no text, at most 256 bytes of it', () => {
		expect(sampleOf(Buffer.from([0xff, 0x00]))).toBe('hex ff00');
		expect(sampleOf(Buffer.from('a\u0007b'))).toBe('hex 610762');
		expect(sampleOf(Buffer.alloc(1000, 0xff))).toBe(`hex ${'ff'.repeat(256)}`);
		expect(sampleOf(Buffer.from([0x61, 0xe2, 0x82]))).toBe('hex 61e282');
		expect(sampleOf(Buffer.alloc(0))).toBe('');
		expect(sampleOf(Buffer.from('a\tb\r\n'))).toBe('a\tb\r\n');
	});
});
