import { expect, it } from 'vitest';
import { diskUse } from '../../bench/sd-card.ts';

const RATE = 20;
const SECONDS = 8;
/** Four commits a second of two pages each, the meta file once a second, and as much again. */
const BYTES_PER_SECOND = 80 * 1024;

it('commitEvery 250ms keeps disk writes at twenty readings a second no higher than at four', async () => {
	const { bytes, readings } = await diskUse('250ms', RATE, SECONDS);
	expect(readings).toBeGreaterThan(SECONDS * 10);
	expect(bytes / SECONDS).toBeLessThan(BYTES_PER_SECOND);
});
