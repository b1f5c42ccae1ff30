import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fuzz } from '../../src/testing/fuzz/fuzz.ts';

it('20 s of mutated bytes over every transport cause no crash, growth or invented reading', async () => {
	const { inputs, healthy } = await fuzz({ seconds: 20, seed: randomInt(2 ** 32) });
	for (const [lane, count] of Object.entries(inputs)) expect(count, lane).toBeGreaterThan(5);
	expect(healthy).toBeGreaterThan(5);
});
