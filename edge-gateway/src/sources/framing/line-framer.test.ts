import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineFramer } from './line-framer.ts';

const LIMIT = 50;

function frame(chunks: Iterable<Buffer>): { lines: string[]; discarded: number[]; framer: LineFramer } {
	const lines: string[] = [];
	const discarded: number[] = [];
	const framer = new LineFramer(LIMIT, {
		frame: (line) => void lines.push(line.toString('latin1')),
		discarded: ({ sample, bytes }) => {
			expect(sample.length).toBeLessThanOrEqual(Math.min(bytes, 256));
			expect(sample.length).toBeGreaterThanOrEqual(Math.min(bytes, LIMIT));
			discarded.push(bytes);
		},
	});
	for (const chunk of chunks) framer.push(chunk);
	return { lines, discarded, framer };
}

/** Bytes, and the same cut into random chunks, some of them empty. */
const chunked = (bytes: fc.Arbitrary<Buffer>) =>
	fc.tuple(bytes, fc.array(fc.nat(40))).map(([whole, sizes]) => {
		const chunks: Buffer[] = [];
		let at = 0;
		for (const size of sizes) {
			chunks.push(whole.subarray(at, at + size));
			at += size;
		}
		return { whole, chunks: [...chunks, whole.subarray(at)] };
	});

/** Lines of lengths around the limit, with any byte value in them. */
const anyStream = fc
	.array(fc.tuple(fc.uint8Array({ maxLength: 2 * LIMIT }), fc.constantFrom('\n', '\n', '\r\n', '')))
	.map((parts) => Buffer.concat(parts.flatMap(([bytes, end]) => [bytes, Buffer.from(end)])));

describe('cutting a stream into lines', () => {
	it('yields the same lines and the same losses, whatever the chunks', () => {
		fc.assert(
			fc.property(chunked(anyStream), ({ whole, chunks }) => {
				const expected = whole.toString('latin1').split('\n').slice(0, -1);
				const { lines, discarded } = frame(chunks);
				expect(lines).toEqual(
					expected
						.filter((line) => line.length <= LIMIT)
						.map((line) => line.replace(/\r$/, ''))
						.filter((line) => line !== ''),
				);
				expect(discarded).toEqual(expected.map((line) => line.length).filter((length) => length > LIMIT));
			}),
		);
	});

	it('accepts a line of exactly the limit, and discards one that is a byte longer', () => {
		expect(frame([Buffer.from(`${'a'.repeat(LIMIT)}\n${'b'.repeat(LIMIT + 1)}\nc\n`)])).toMatchObject({
			lines: ['a'.repeat(LIMIT), 'c'],
			discarded: [LIMIT + 1],
		});
	});

	it('holds an unfinished line back, and discards it when the port closes', () => {
		const { lines, discarded, framer } = frame([Buffer.from('one\ntw')]);
		expect({ lines, discarded }).toEqual({ lines: ['one'], discarded: [] });
		framer.end();
		framer.end();
		expect(discarded).toEqual([2]);
	});

	it('holds no memory for a line that is too long, even if it never ends, and finds the line after it', () => {
		const { lines, discarded, framer } = frame([]);
		const chunk = Buffer.alloc(64 * 1024, 'x');
		for (let i = 0; i < 1000; i++) {
			framer.push(chunk);
			expect(framer.held).toBe(0);
		}
		framer.push(Buffer.from('\nnext\n'));
		expect({ lines, discarded }).toEqual({ lines: ['next'], discarded: [64_000 * 1024] });
	});
});
