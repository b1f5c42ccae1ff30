import { expect, it } from 'vitest';
import { OwnBlocks, ownBytes } from './own-bytes.ts';

it('a piece is copied to memory of its size; what owns its memory already stays as it is', () => {
	const whole = Buffer.alloc(65_536, 'x');
	const piece = ownBytes(whole.subarray(10, 20));
	expect([piece.toString(), piece.buffer.byteLength]).toEqual(['xxxxxxxxxx', 10]);
	whole.fill('y');
	expect(piece.toString()).toBe('xxxxxxxxxx');
	expect(ownBytes(whole)).toBe(whole);
	expect(ownBytes(Buffer.from('pooled')).buffer.byteLength).toBe(6);
	expect(ownBytes(whole.subarray(0, 0))).toHaveLength(0);
});

it('small pieces share blocks of their own, and keep what they were', () => {
	const blocks = new OwnBlocks();
	const pool = Buffer.alloc(65_536);
	const kept = Array.from({ length: 10_000 }, (_, n) => {
		pool.write(`${n}`.padEnd(10), 100);
		return blocks.keep(pool.subarray(100, 110));
	});
	expect(kept.every((piece, n) => piece.toString() === `${n}`.padEnd(10))).toBe(true);
	const memories = new Set(kept.map(({ buffer }) => buffer));
	expect(memories.has(pool.buffer)).toBe(false);
	expect([...memories].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(2 * 100_000);
	expect(blocks.keep(pool.subarray(0, 20_000)).buffer.byteLength).toBe(20_000);
});
