import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { validator } from './validator.ts';

const { check, problem, problems } = validator(
	Type.Object(
		{ a: Type.Number(), inner: Type.Optional(Type.Object({ b: Type.Number() }, { additionalProperties: false })) },
		{ additionalProperties: false },
	),
);
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));

describe('what is wrong with a value', () => {
	it.each([1, 7, 8, 9, 30])('is told of each of %i unknown keys', (count) => {
		const value = { a: 1, inner: { b: 2, ...keys(count) } };
		expect(check(value)).toBe(false);
		expect(problems(value)).toEqual(
			Object.keys(keys(count)).map((key) => ({
				path: `/inner/${key}`,
				message: 'is not known here; known are b',
			})),
		);
	});

	it('is bounded, and never nothing', () => {
		expect(problems({ a: 1, ...keys(1000) })).toHaveLength(50);
		expect(problem({ a: 1, ...keys(1000) })).toEqual({ path: '/k0', message: 'is not known here; known are a, inner' });
	});

	it('is told of keys as JSON Pointers (RFC 6901)', () => {
		expect(problems({ a: 1, 'x/y': 1, 'p~q': 1, '': 1 }).map(({ path }) => path)).toEqual(['/x~1y', '/p~0q', '/']);
	});

	it('is nothing where nothing is', () => {
		expect(problems({ a: 1 })).toEqual([]);
		expect(problem({ a: 1 })).toBeUndefined();
	});
});
