import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fuzz } from '../../src/testing/fuzz/fuzz.ts';

it('20 s of mutated bytes on every way in and every decoder: no crash, no growth, no reading invented, and others are served', async () => {
	const { inputs, healthy } = await fuzz({ seconds: 20, seed: randomInt(2 ** 32) });
	for (const [lane, count] of Object.entries(inputs)) expect(count, lane).toBeGreaterThan(5);
	expect(healthy).toBeGreaterThan(5);
});
