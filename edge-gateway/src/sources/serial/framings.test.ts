import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCobs } from '../framing/cobs.ts';
import { crc16 } from '../framing/crc16.ts';
import { createFraming } from './framings.ts';
import type { SerialConfig } from './serial-config.ts';

interface Row {
	seq: number;
	sensorId: string;
	metric: string;
	value: number;
}

const hex = (crc: number) => crc.toString(16).toUpperCase().padStart(4, '0');
const checked = (line: string) => `${line}*${hex(crc16(Buffer.from(line)))}`;
const COLUMNS = ['seq', 'sensorId', 'metric', 'value'];

/**
 * Each framing, and how a device writes a frame: with an end in front of it as well, so that earlier garbage cannot run
 * into the frame.
 */
const WIRES: Record<string, { config: Partial<SerialConfig>; write(row: Row): Buffer }> = {
	'jsonl with checksum': {
		config: { framing: 'jsonl', checksum: true },
		write: (row) => Buffer.from(`\n${checked(JSON.stringify(row))}\n`),
	},
	'csv with checksum': {
		config: { framing: 'csv', checksum: true, csv: { columns: COLUMNS } },
		write: ({ seq, sensorId, metric, value }) =>
			Buffer.from(`\n${checked(`${seq},"${sensorId}",${metric},${value}`)}\n`),
	},
	cobs: {
		config: { framing: 'cobs' },
		write: (row) => {
			const payload = Buffer.from(encode(row));
			const crc = Buffer.alloc(2);
			crc.writeUInt16BE(crc16(payload));
			return Buffer.concat([Buffer.from([0]), encodeCobs(Buffer.concat([payload, crc])), Buffer.from([0])]);
		},
	},
};

/** What a port yields whose bytes arrive in these chunks; decodes and salvages as a conversation does. */
function read(
	config: Partial<SerialConfig>,
	chunks: Iterable<Buffer>,
): { rows: unknown[]; lost: number; reasons: string[] } {
	const rows: unknown[] = [];
	const reasons: string[] = [];
	const framing = createFraming(config, {
		frame: (raw) => {
			for (let frame: Buffer | undefined = raw; frame; ) {
				try {
					const value = framing.decode(frame);
					if (value !== undefined) rows.push(value);
					return;
				} catch (error) {
					reasons.push((error as Error).message);
					frame = framing.salvage?.(frame);
				}
			}
		},
		discarded: ({ reason }) => reasons.push(reason),
	});
	for (const chunk of chunks) framing.push(chunk);
	framing.end();
	return { rows, lost: reasons.length, reasons };
}

const anyRow: fc.Arbitrary<Row> = fc.record({
	seq: fc.nat(),
	sensorId: fc.constantFrom('door-3', 'a', 's:1.2_x-y'),
	metric: fc.constantFrom('peopleIn', 'co2', 'temperature'),
	value: fc.oneof(
		fc.nat(40_000),
		fc.double({ min: -1000, max: 1000, noNaN: true }).map((value) => Math.round(value * 100) / 100 + 0),
	),
});
const someRows = fc.uniqueArray(anyRow, { minLength: 1, maxLength: 6, selector: ({ seq }) => seq });

/** Bytes in pieces of any size. */
function cut(bytes: Buffer, sizes: number[]): Buffer[] {
	const chunks: Buffer[] = [];
	let at = 0;
	for (const size of sizes) {
		chunks.push(bytes.subarray(at, at + size));
		at += size;
	}
	return [...chunks, bytes.subarray(at)];
}
const someSizes = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 30 });

/** Expects the sent rows in order, with at most one missing, and nothing else. */
function expectAtMostOneLost(found: unknown[], sent: Row[]): void {
	expect(sent.length - found.length).toBeLessThanOrEqual(1);
	expect(found).toEqual(sent.filter((row) => found.some((one) => (one as Row).seq === row.seq)));
}

describe.each(Object.entries(WIRES))('P6 the framing %s', (_name, { config, write }) => {
	it('yields every frame, however the bytes are cut into chunks', () => {
		fc.assert(
			fc.property(someRows, someSizes, (rows, sizes) => {
				expect(read(config, cut(Buffer.concat(rows.map(write)), sizes))).toEqual({ rows, lost: 0, reasons: [] });
			}),
		);
	});

	it('loses at most the frame in which a byte is damaged, and invents none', () => {
		fc.assert(
			fc.property(someRows, fc.nat(), fc.integer({ min: 1, max: 255 }), someSizes, (rows, where, flip, sizes) => {
				const bytes = Buffer.concat(rows.map(write));
				const at = where % bytes.length;
				bytes[at] = bytes[at]! ^ flip;
				expectAtMostOneLost(read(config, cut(bytes, sizes)).rows, rows);
			}),
			{ numRuns: 500 },
		);
	});

	it('loses at most the frame into which garbage is inserted', () => {
		fc.assert(
			fc.property(
				someRows,
				fc.nat(),
				fc.uint8Array({ minLength: 1, maxLength: 60 }),
				someSizes,
				(rows, where, garbage, sizes) => {
					const bytes = Buffer.concat(rows.map(write));
					const at = where % (bytes.length + 1);
					const mixed = Buffer.concat([bytes.subarray(0, at), garbage, bytes.subarray(at)]);
					expectAtMostOneLost(read(config, cut(mixed, sizes)).rows, rows);
				},
			),
			{ numRuns: 500 },
		);
	});

	it('loses at most the frame from which bytes are missing', () => {
		fc.assert(
			fc.property(someRows, fc.nat(), fc.nat(), fc.nat(), someSizes, (rows, which, from, to, sizes) => {
				const frames = rows.map(write);
				const index = which % frames.length;
				const frame = frames[index]!;
				const [start, end] = [from % (frame.length + 1), to % (frame.length + 1)].sort((a, b) => a - b) as [
					number,
					number,
				];
				frames[index] = Buffer.concat([frame.subarray(0, start), frame.subarray(end)]);
				expectAtMostOneLost(read(config, cut(Buffer.concat(frames), sizes)).rows, rows);
			}),
			{ numRuns: 500 },
		);
	});

	it('discards a frame that is too long, gives the reason, and finds the next', () => {
		const row = { seq: 1, sensorId: 'a', metric: 'co2', value: 1 };
		const small = { ...config, longestFrame: 256 };
		const { rows, reasons } = read(small, [write(row), Buffer.alloc(100_000, 'x'), write({ ...row, seq: 2 })]);
		expect(rows).toEqual([row, { ...row, seq: 2 }]);
		expect(reasons).toEqual(['a frame of 100000 bytes is longer than the limit of 256']);
	});

	it('never throws, whatever the bytes', () => {
		const ends = fc.constantFrom('\n', '\0', '{', '*', ',', '"');
		const stream = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), ends.map(Buffer.from)), { maxLength: 20 });
		fc.assert(fc.property(stream, (chunks) => read(config, chunks.map(Buffer.from)).lost >= 0));
	});
});

describe('P6 the framing jsonl', () => {
	it('loses only the frame in which a device restarted, although no newline precedes the next one', () => {
		for (const checksum of [false, true]) {
			const write = (row: Row) => Buffer.from(`${checksum ? checked(JSON.stringify(row)) : JSON.stringify(row)}\n`);
			fc.assert(
				fc.property(someRows, fc.nat(), fc.nat(), (rows, which, where) => {
					const frames = rows.map(write);
					const index = which % frames.length;
					const frame = frames[index]!;
					frames[index] = frame.subarray(0, where % (frame.length - 1));
					const others = rows.filter((_, at) => at !== index);
					expect(read({ framing: 'jsonl', checksum }, [Buffer.concat(frames)]).rows).toEqual(others);
				}),
				{ numRuns: 300 },
			);
		}
	});

	it('finds no reading inside a damaged one', () => {
		const damaged = [
			'{"roomId":"lab"{"metric":"co2","value":5}',
			'{"x":{"metric":"co2","value":5}',
			'[{"metric":"co2","value":5}',
		];
		for (const line of damaged) expect(read({}, [Buffer.from(`${line}\n`)]).rows).toEqual([]);
		expect(read({}, [Buffer.from('\xff\x00~{"metric":"co2","value":5}\n', 'latin1')]).rows).toEqual([
			{ metric: 'co2', value: 5 },
		]);
	});
});

it('the example line in docs/wire-protocol.md has the right checksum', () => {
	expect(readFileSync(join(ROOT, 'docs/wire-protocol.md'), 'utf8')).toContain(`\`${checked('7,door-3,peopleIn,1')}\``);
});

describe('the framing csv', () => {
	const rowsOf = (csv: SerialConfig['csv'], ...lines: string[]) =>
		read({ framing: 'csv', ...(csv && { csv }) }, [Buffer.from(`${lines.join('\n')}\n`)]);

	it('names columns by position, and skips those with an empty name', () => {
		expect(rowsOf({ columns: ['seq', '', 'temperature', 'humidity'] }, '7,x,21.5,40', '8,,,41')).toEqual({
			rows: [
				{ seq: 7, temperature: 21.5, humidity: 40 },
				{ seq: 8, humidity: 41 },
			],
			lost: 0,
			reasons: [],
		});
	});

	it('names columns by the header, in field names or the device’s own, and accepts the header again', () => {
		const plain = ['seq,sensorId,metric,value', '1,a,co2,400', 'seq,sensorId,metric,value', '2,a,co2,401'];
		expect(rowsOf(undefined, ...plain).rows).toEqual(
			[1, 2].map((seq) => ({ seq, sensorId: 'a', metric: 'co2', value: 399 + seq })),
		);
		const mapped = { columns: { Nr: 'seq', Count: 'peopleCount', When: 'observedAt' } };
		expect(rowsOf(mapped, 'When,Nr,Volt,Count', '2026-11-22T10:00:00Z,5,3.3,12').rows).toEqual([
			{ seq: 5, peopleCount: 12, observedAt: '2026-11-22T10:00:00Z' },
		]);
	});

	it('refuses a row before the header, and a row that does not fit its columns', () => {
		expect(rowsOf(undefined, '1,a,co2,400').reasons).toEqual([
			'The line came before the header that names its columns',
		]);
		const columns = { columns: ['seq', 'sensorId', 'value'] };
		expect(rowsOf(columns, '1,a', '1,a,2,3', '1,a,two', '1,"a,2', '1,a\u0001,2', '1,a,2').reasons).toEqual([
			'The line has 2 cells, but there are 3 columns',
			'The line has 4 cells, but there are 3 columns',
			'The line has "two" in the column value, which must be a number',
			'The line is not a row of CSV',
			'The line is not a row of CSV',
		]);
	});

	it('says of a row in which nothing was measured that its values are null', () => {
		expect(rowsOf({ columns: ['seq', 'temperature', 'humidity'] }, '7,nan,', '8,,', '9,nan,40').rows).toEqual([
			{ seq: 7, temperature: null, humidity: null },
			{ seq: 8, temperature: null, humidity: null },
			{ seq: 9, humidity: 40 },
		]);
	});

	it('reads rows with a semicolon between cells and a decimal comma', () => {
		expect(rowsOf({ columns: ['temperature', 'boot'], delimiter: ';', decimal: ',' }, '21,5;"a;b"').rows).toEqual([
			{ temperature: 21.5, boot: 'a;b' },
		]);
	});
});

describe('the framing cobs', () => {
	const frame = (payload: Buffer, crc = crc16(payload)) =>
		Buffer.concat([encodeCobs(Buffer.concat([payload, Buffer.from([crc >> 8, crc & 0xff])])), Buffer.from([0])]);

	it('gives the reason for which it refuses a frame', () => {
		const payload = Buffer.from(encode({ seq: 1 }));
		expect(read({ framing: 'cobs' }, [frame(payload, 0x1234)]).reasons).toEqual([
			`the CRC is ${hex(crc16(payload))}, but the frame says 1234`,
		]);
		expect(read({ framing: 'cobs' }, [Buffer.from([9, 1, 0])]).reasons).toEqual([
			'the bytes between two zeros are not COBS',
		]);
		expect(read({ framing: 'cobs' }, [Buffer.from([3, 1, 1, 0])]).reasons).toEqual([
			'a frame of 2 bytes has no room for a payload and its CRC',
		]);
		expect(read({ framing: 'cobs' }, [frame(Buffer.from([0xa1, 0x61]))]).reasons[0]).toMatch(
			/^The frame is not CBOR: /,
		);
		expect(read({ framing: 'cobs' }, [frame(Buffer.alloc(40_000, 0x81))]).reasons[0]).toMatch(
			/^The frame is not CBOR: /,
		);
	});

	it('refuses a text that is not UTF-8, so that a damaged id never becomes another id', () => {
		const damaged = Buffer.from(encode({ roomId: 'hXll', seq: 1 }));
		damaged[damaged.indexOf('X')] = 0xe1;
		expect(read({ framing: 'cobs' }, [frame(damaged)]).reasons).toEqual(['The frame is not CBOR: a text is not UTF-8']);
		const exact = frame(Buffer.from(encode(new Map([['value', { n: 2n ** 60n }]]))));
		expect(read({ framing: 'cobs' }, [exact]).reasons[0]).toMatch(/^The frame is not CBOR: /);
	});

	it('recognizes a CBOR text as a message of the device rather than a reading', () => {
		const texts: (string | undefined)[] = [];
		const framing = createFraming(
			{ framing: 'cobs' },
			{ frame: (raw) => texts.push(framing.textOf(raw)), discarded: () => undefined },
		);
		framing.push(
			Buffer.concat([
				frame(Buffer.from(encode('HELLO a b'))),
				frame(Buffer.from(encode({ seq: 1 }))),
				frame(Buffer.from([0x7f])),
			]),
		);
		expect(texts).toEqual(['HELLO a b', undefined, undefined]);
	});
});
