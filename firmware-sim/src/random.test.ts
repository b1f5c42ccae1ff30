import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, gaussian, hash, poisson, randomAt } from './random.ts';

const draw = (seed: number, count: number) => {
	const random = createRandom(seed);
	return Array.from({ length: count }, random);
};

describe('seeded random numbers', () => {
	it('are the same for the same seed, and different for another seed', () => {
		expect(draw(7, 100)).toEqual(draw(7, 100));
		expect(draw(7, 100)).not.toEqual(draw(8, 100));
		expect(hash('a', 1)).toBe(hash('a', 1));
		expect(new Set([hash('a', 1), hash('a1'), hash('a', '1 '), hash(1, 'a'), hash('a', 2)]).size).toBe(5);
	});

	it('are spread evenly over [0, 1), also across neighbouring moments', () => {
		for (const numbers of [draw(1, 20_000), Array.from({ length: 20_000 }, (_, index) => randomAt(5, index)())]) {
			const tenths = new Array<number>(10).fill(0);
			for (const number of numbers) tenths[Math.floor(number * 10)]!++;
			expect(tenths).toHaveLength(10);
			for (const tenth of tenths) expect(Math.abs(tenth - 2000)).toBeLessThan(200);
		}
	});

	it('give a normal distribution with mean 0 and deviation 1, and counts with the requested mean', () => {
		const random = createRandom(3);
		const bell = Array.from({ length: 20_000 }, () => gaussian(random));
		expect(mean(bell)).toBeCloseTo(0, 1);
		expect(Math.sqrt(mean(bell.map((value) => value * value)))).toBeCloseTo(1, 1);
		for (const expected of [0.01, 0.7, 12, 500]) {
			const counts = Array.from({ length: 20_000 }, () => poisson(random, expected));
			expect(Math.abs(mean(counts) - expected)).toBeLessThan(0.05 * expected + 0.01);
		}
	});

	it('give no negative counts', () => {
		fc.assert(
			fc.property(fc.integer(), fc.double({ min: -10, max: 1000, noNaN: true }), (seed, expected) => {
				const count = poisson(createRandom(seed), expected);
				return Number.isInteger(count) && count >= 0;
			}),
		);
	});
});

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
