import { expect, it } from 'vitest';
import { ownBytes } from './own-bytes.ts';

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
