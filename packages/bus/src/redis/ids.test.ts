import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareIds, idBefore } from './ids.ts';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const id = fc.tuple(u64, u64);
const text = ([ms, seq]: [bigint, bigint]) => `${ms}-${seq}`;

describe('stream ids', () => {
	it('compare as pairs of numbers, not as strings', () => {
		expect(compareIds('9-0', '10-0')).toBeLessThan(0);
		expect(compareIds('1-9', '1-10')).toBeLessThan(0);
		expect(compareIds('0', '0-0')).toBe(0);
		fc.assert(
			fc.property(id, id, (a, b) => {
				const expected = a[0] === b[0] ? (a[1] === b[1] ? 0 : a[1] < b[1] ? -1 : 1) : a[0] < b[0] ? -1 : 1;
				expect(compareIds(text(a), text(b))).toBe(expected);
				expect(compareIds(text(b), text(a))).toBe(expected === 0 ? 0 : -expected);
			}),
		);
	});

	it('are directly preceded by what idBefore returns', () => {
		expect(idBefore('0-0')).toBe('0-0');
		expect(idBefore('5-0')).toBe(`4-${2n ** 64n - 1n}`);
		fc.assert(
			fc.property(id, ([ms, seq]) => {
				fc.pre(ms > 0n || seq > 0n);
				const [beforeMs, beforeSeq] = idBefore(text([ms, seq]))
					.split('-')
					.map(BigInt) as [bigint, bigint];
				expect(beforeMs * 2n ** 64n + beforeSeq).toBe(ms * 2n ** 64n + seq - 1n);
			}),
		);
	});

	it.each(['', '-', '1-', '-1', 'a-b', '1-2-3', ' 1-1', '18446744073709551616-0', '1-18446744073709551616'])(
		'are never %j: such a position is refused',
		(position) => {
			expect(() => compareIds(position, '0')).toThrow(expect.objectContaining({ code: 'bad_request' }));
		},
	);
});
