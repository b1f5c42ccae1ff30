import { expect, it } from 'vitest';
import { OwnBlocks, ownBytes } from './own-bytes.ts';

it('ownBytes copies a slice into memory of its own size, and returns bytes that own their memory as they are', () => {
	const whole = Buffer.alloc(65_536, 'x');
	const piece = ownBytes(whole.subarray(10, 20));
	expect([piece.toString(), piece.buffer.byteLength]).toEqual(['xxxxxxxxxx', 10]);
	whole.fill('y');
	expect(piece.toString()).toBe('xxxxxxxxxx');
	expect(ownBytes(whole)).toBe(whole);
	expect(ownBytes(Buffer.from('pooled')).buffer.byteLength).toBe(6);
	expect(ownBytes(whole.subarray(0, 0))).toHaveLength(0);
});

it('OwnBlocks copies small pieces into shared blocks of their own, unchanged', () => {
	const blocks = new OwnBlocks();
	const pool = Buffer.alloc(65_536);
	const copies = Array.from({ length: 10_000 }, (_, n) => {
		pool.write(`${n}`.padEnd(10), 100);
		return blocks.copy(pool.subarray(100, 110));
	});
	expect(copies.every((piece, n) => piece.toString() === `${n}`.padEnd(10))).toBe(true);
	const memories = new Set(copies.map(({ buffer }) => buffer));
	expect(memories.has(pool.buffer)).toBe(false);
	expect([...memories].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(2 * 100_000);
	expect(blocks.copy(pool.subarray(0, 20_000)).buffer.byteLength).toBe(20_000);
});
