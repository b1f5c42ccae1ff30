import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../../test/support/processes.ts';
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
 * Each framing, and how a device writes a frame: with an end before it as well, so that what is before it cannot run
 * into it.
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

/** What comes out of a port that was read in these pieces, as a conversation reads it. */
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

/** All rows but at most one, in order, and nothing else. */
function expectAtMostOneLost(found: unknown[], sent: Row[]): void {
	expect(sent.length - found.length).toBeLessThanOrEqual(1);
	expect(found).toEqual(sent.filter((row) => found.some((one) => (one as Row).seq === row.seq)));
}

describe.each(Object.entries(WIRES))('P6 %s', (_name, { config, write }) => {
	it('gives every frame, however its bytes are cut into pieces', () => {
		fc.assert(
			fc.property(someRows, someSizes, (rows, sizes) => {
				expect(read(config, cut(Buffer.concat(rows.map(write)), sizes))).toEqual({ rows, lost: 0, reasons: [] });
			}),
		);
	});

	it('loses at most the frame in which a byte is flipped, and invents none', () => {
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

	it('loses at most the frame into which anything at all is inserted', () => {
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

	it('loses at most the frame out of which anything is cut', () => {
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

	it('throws away a frame that is too long, says so, and finds the next', () => {
		const row = { seq: 1, sensorId: 'a', metric: 'co2', value: 1 };
		const small = { ...config, longestFrame: 256 };
		const { rows, reasons } = read(small, [write(row), Buffer.alloc(100_000, 'x'), write({ ...row, seq: 2 })]);
		expect(rows).toEqual([row, { ...row, seq: 2 }]);
		expect(reasons).toEqual(['a frame of 100000 bytes is longer than 256']);
	});

	it('takes any bytes at all without another failure than saying what is wrong with them', () => {
		const ends = fc.constantFrom('\n', '\0', '{', '*', ',', '"');
		const stream = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), ends.map(Buffer.from)), { maxLength: 20 });
		fc.assert(fc.property(stream, (chunks) => read(config, chunks.map(Buffer.from)).lost >= 0));
	});
});

describe('P6 lines of JSON', () => {
	it('lose only the frame in which a device stopped, though it begins the next without a newline', () => {
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

	it('find no reading inside of a damaged one', () => {
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

it('the example of the wire protocol has the right checksum', () => {
	expect(readFileSync(join(ROOT, 'docs/wire-protocol.md'), 'utf8')).toContain(`\`${checked('7,door-3,peopleIn,1')}\``);
});

describe('rows of CSV', () => {
	const rowsOf = (csv: SerialConfig['csv'], ...lines: string[]) =>
		read({ framing: 'csv', ...(csv && { csv }) }, [Buffer.from(`${lines.join('\n')}\n`)]);

	it('are named by position, an empty name passes over', () => {
		expect(rowsOf({ columns: ['seq', '', 'temperature', 'humidity'] }, '7,x,21.5,40', '8,,,41')).toEqual({
			rows: [
				{ seq: 7, temperature: 21.5, humidity: 40 },
				{ seq: 8, humidity: 41 },
			],
			lost: 0,
			reasons: [],
		});
	});

	it('are named by the header, in our words or in the device’s, which may come again', () => {
		const plain = ['seq,sensorId,metric,value', '1,a,co2,400', 'seq,sensorId,metric,value', '2,a,co2,401'];
		expect(rowsOf(undefined, ...plain).rows).toEqual(
			[1, 2].map((seq) => ({ seq, sensorId: 'a', metric: 'co2', value: 399 + seq })),
		);
		const mapped = { columns: { Nr: 'seq', Count: 'peopleCount', When: 'observedAt' } };
		expect(rowsOf(mapped, 'When,Nr,Volt,Count', '2026-11-22T10:00:00Z,5,3.3,12').rows).toEqual([
			{ seq: 5, peopleCount: 12, observedAt: '2026-11-22T10:00:00Z' },
		]);
	});

	it('before a header are refused, and so is what is not what its column is', () => {
		expect(rowsOf(undefined, '1,a,co2,400').reasons).toEqual([
			'The line came before the header that says what its columns are',
		]);
		const columns = { columns: ['seq', 'sensorId', 'value'] };
		expect(rowsOf(columns, '1,a', '1,a,2,3', '1,a,two', '1,"a,2', '1,a\u0001,2', '1,a,2').reasons).toEqual([
			'The line has 2 cells, but there are 3 columns',
			'The line has 4 cells, but there are 3 columns',
			'The line has "two" in the column value, which must be a number',
			'The line is no row of cells',
			'The line is no row of cells',
		]);
	});

	it('may have a semicolon between cells and a comma in numbers', () => {
		expect(rowsOf({ columns: ['temperature', 'boot'], delimiter: ';', decimal: ',' }, '21,5;"a;b"').rows).toEqual([
			{ temperature: 21.5, boot: 'a;b' },
		]);
	});
});

describe('a frame of COBS', () => {
	const frame = (payload: Buffer, crc = crc16(payload)) =>
		Buffer.concat([encodeCobs(Buffer.concat([payload, Buffer.from([crc >> 8, crc & 0xff])])), Buffer.from([0])]);

	it('says what is wrong with it', () => {
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

	it('is read as strictly as CBOR elsewhere: an id that is not UTF-8 does not become another id', () => {
		const damaged = Buffer.from(encode({ roomId: 'hXll', seq: 1 }));
		damaged[damaged.indexOf('X')] = 0xe1;
		expect(read({ framing: 'cobs' }, [frame(damaged)]).reasons).toEqual(['The frame is not CBOR: a text is not UTF-8']);
		const exact = frame(Buffer.from(encode(new Map([['value', { n: 2n ** 60n }]]))));
		expect(read({ framing: 'cobs' }, [exact]).reasons[0]).toMatch(/^The frame is not CBOR: /);
	});

	it('is a text where the device speaks rather than measures', () => {
		const said: (string | undefined)[] = [];
		const framing = createFraming(
			{ framing: 'cobs' },
			{ frame: (raw) => said.push(framing.said(raw)), discarded: () => undefined },
		);
		framing.push(
			Buffer.concat([
				frame(Buffer.from(encode('HELLO a b'))),
				frame(Buffer.from(encode({ seq: 1 }))),
				frame(Buffer.from([0x7f])),
			]),
		);
		expect(said).toEqual(['HELLO a b', undefined, undefined]);
	});
});
