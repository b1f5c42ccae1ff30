import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitWorker, startCommitWorker } from '@crowdvision/log';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleOf } from '../payload.ts';
import { breakableDisk } from '../testing/gateway-world.ts';
import { type Refusal, Rejected } from './rejected.ts';

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
const sender = { id: 'd', domainName: 'acme', sensorIds: new Set(['s1', 's2']), buildingId: 'b1', issuedAt: 7 };
const refusal = (at: number, change: Partial<Refusal> = {}): Refusal => ({
	at,
	transport: 'mqtt',
	source: 'telemetry/b1/hall/s1',
	sender,
	sensorId: 's1',
	code: 'not_json',
	message: 'no',
	raw: Buffer.from('{'),
	...change,
});
const all = () => true;
const times = async (list: Rejected, limit = 2000) => (await list.list({}, limit, all)).map(({ at }) => at);

describe('Rejected', () => {
	it('lists the newest refusal first, and only those that the caller may see', async () => {
		const list = await open();
		for (let i = 1; i <= 4; i++)
			await list.add(refusal(i, { sender: { ...sender, domainName: i % 2 ? 'acme' : 'other' } }));
		expect(await times(list)).toEqual([4, 3, 2, 1]);
		expect((await list.list({}, 10, ({ domainName }) => domainName === 'acme')).map(({ at }) => at)).toEqual([3, 1]);
		expect(await times(list, 2)).toEqual([4, 3]);
	});

	it('lists all refusals page by page, also after a restart, from memory and from disk', async () => {
		const first = await open();
		await Promise.all(Array.from({ length: 2600 }, (_, i) => first.add(refusal(i))));
		const pages = async (list: Rejected) => {
			const found: number[] = [];
			for (let before: number | undefined; ; ) {
				const page = await list.list({ before }, 333, all);
				found.push(...page.map(({ at }) => at));
				if (page.length < 333) return found;
				before = page.at(-1)!.id;
			}
		};
		const newestFirst = Array.from({ length: 2600 }, (_, i) => 2599 - i);
		expect(await pages(first)).toEqual(newestFirst);
		await first.close();
		expect(await pages(await open())).toEqual(newestFirst);
	});

	it('searches by sensor, topic filter, sender, code, transport and time, in memory and on disk', async () => {
		const list = await open();
		await list.add(
			refusal(1, {
				sensorId: undefined,
				source: 'acme/cam-7/uplink',
				code: 'bad_request',
				sender: { ...sender, id: 'cam-7' },
			}),
		);
		await list.add(refusal(2, { sensorId: 's2', source: 'POST /ingest', transport: 'http' }));
		for (let i = 10; i < 1500; i++) await list.add(refusal(i));
		const found = async (query: Parameters<Rejected['list']>[0]) =>
			(await list.list(query, 5, all)).map(({ at }) => at);
		expect(await found({ sensor: 's2' })).toEqual([2]);
		expect(await found({ sensor: 'cam-7' })).toEqual([1]);
		expect(await found({ topic: 'acme/+/uplink' })).toEqual([1]);
		expect(await found({ sender: 'cam-7' })).toEqual([1]);
		expect(await found({ code: 'bad_request' })).toEqual([1]);
		expect(await found({ transport: 'http' })).toEqual([2]);
		expect(await found({ since: 1498 })).toEqual([1499, 1498]);
		expect(await found({ sensor: 'unknown' })).toEqual([]);
	});

	it('accepts refusals without waiting while the disk refuses writes', async () => {
		const list = await open();
		disk.breakDown();
		await list.add(refusal(1));
		expect(await times(list)).toEqual([1]);
		disk.mend();
		await list.add(refusal(2));
		await list.close();
		expect(await times(await open())).toEqual([2]);
	});

	it('stores payload and scope for a replay, but no payload that is too large or contains a token', async () => {
		const list = await open();
		const bytes = Buffer.from([0, 0xff, 0x0a, 0xc3]);
		await list.add(
			refusal(1, { raw: bytes, context: { sensorId: 's1', buildingId: 'b1' }, contentType: 'a/b', path: '/x' }),
		);
		await list.add(refusal(2, { raw: Buffer.alloc(70_000, 'x') }));
		const token = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(40)}.${'b'.repeat(40)}`;
		await list.add(refusal(3, { raw: Buffer.from(`HELLO d ${token}`) }));
		await list.close();
		const again = await open();
		const [third, second, first] = await again.list({}, 3, all);
		expect(first).toMatchObject({ id: 0, whole: true, bytes: 4, sample: 'hex 00ff0ac3', path: '/x' });
		expect(await again.load(0)).toEqual({
			...refusal(1, { raw: bytes, context: { sensorId: 's1', buildingId: 'b1' }, contentType: 'a/b', path: '/x' }),
			id: 0,
		});
		expect(second).toMatchObject({ whole: false, bytes: 70_000 });
		expect(third).toMatchObject({ whole: false, sample: 'HELLO d (token)' });
		expect([await again.load(1), await again.load(2), await again.load(77)]).toEqual([undefined, undefined, undefined]);
		expect(JSON.stringify([first, second, third])).not.toContain('sensorIds');
	});

	it('lists replayed refusals separately from open ones, also after a restart', async () => {
		const list = await open();
		for (let i = 0; i < 3; i++) await list.add(refusal(i));
		await list.markReplayed(1, 50, 2);
		const seen = async (from: Rejected) => ({
			open: (await from.list({ state: 'open' }, 9, all)).map(({ id }) => id),
			replayed: (await from.list({ state: 'replayed' }, 9, all)).map(({ id, replayed }) => [id, replayed]),
		});
		const expected = { open: [2, 0], replayed: [[1, { at: 50, accepted: 2 }]] };
		expect(await seen(list)).toEqual(expected);
		await list.close();
		expect(await seen(await open())).toEqual(expected);
	});
});

describe('sampleOf', () => {
	it('returns the beginning of a text, without cutting a character', () => {
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

	it('returns hex of at most 256 bytes if the payload is not text', () => {
		expect(sampleOf(Buffer.from([0xff, 0x00]))).toBe('hex ff00');
		expect(sampleOf(Buffer.from('a\u0007b'))).toBe('hex 610762');
		expect(sampleOf(Buffer.alloc(1000, 0xff))).toBe(`hex ${'ff'.repeat(256)}`);
		expect(sampleOf(Buffer.from([0x61, 0xe2, 0x82]))).toBe('hex 61e282');
		expect(sampleOf(Buffer.alloc(0))).toBe('');
		expect(sampleOf(Buffer.from('a\tb\r\n'))).toBe('a\tb\r\n');
	});
});
