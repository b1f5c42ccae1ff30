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

/** Bytes cut into chunks at random, some of them empty. */
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

/** Mostly lines of a length around the limit, with every byte value in them. */
const anyStream = fc
	.array(fc.tuple(fc.uint8Array({ maxLength: 2 * LIMIT }), fc.constantFrom('\n', '\n', '\r\n', '')))
	.map((parts) => Buffer.concat(parts.flatMap(([bytes, end]) => [bytes, Buffer.from(end)])));

describe('a stream of lines', () => {
	it('gives the same lines and the same losses, however it is cut into chunks', () => {
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

	it('takes a line of just the limit, and not one of a byte more', () => {
		expect(frame([Buffer.from(`${'a'.repeat(LIMIT)}\n${'b'.repeat(LIMIT + 1)}\nc\n`)])).toMatchObject({
			lines: ['a'.repeat(LIMIT), 'c'],
			discarded: [LIMIT + 1],
		});
	});

	it('gives no line that has not ended, and says so when the port closes', () => {
		const { lines, discarded, framer } = frame([Buffer.from('one\ntw')]);
		expect({ lines, discarded }).toEqual({ lines: ['one'], discarded: [] });
		framer.end();
		framer.end();
		expect(discarded).toEqual([2]);
	});

	it('holds nothing of a line that is too long, also of one that never ends, and finds the line after it', () => {
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
