/** Returns a number in [0, 1) at each call; the sequence depends on the seed only. */
export type Random = () => number;

/** A 32-bit hash of text and numbers (FNV-1a with a final mix), for seeds derived from names. */
export function hash(...parts: readonly (string | number)[]): number {
	let state = 0x811c9dc5;
	for (const part of parts) {
		for (const character of `${part}\u0000`) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
	}
	return mix(state);
}

/** A generator for `seed` (mulberry32): small, fast and uniform enough for people and noise; not for secrets. */
export function createRandom(seed: number): Random {
	let state = seed | 0;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		return mix(state) / 2 ** 32;
	};
}

/** The generator of one moment: the same for the same `base` and `index`, whatever was drawn before. */
export function randomAt(base: number, index: number): Random {
	return createRandom(mix(base ^ mix(Math.trunc(index) ^ Math.imul(Math.trunc(index / 2 ** 32), 0x9e3779b1))));
}

/** A draw from the standard normal distribution, cut off at ±4. */
export function gaussian(random: Random): number {
	const radius = Math.sqrt(-2 * Math.log(1 - random()));
	return Math.max(-4, Math.min(4, radius * Math.cos(2 * Math.PI * random())));
}

/** A draw from the Poisson distribution: how many independent events happen if `mean` are expected. */
export function poisson(random: Random, mean: number): number {
	if (mean <= 0) return 0;
	if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * gaussian(random)));
	const limit = Math.exp(-mean);
	let count = 0;
	for (let product = random(); product > limit; product *= random()) count++;
	return count;
}

function mix(value: number): number {
	let mixed = value | 0;
	mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
	mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
	return (mixed ^ (mixed >>> 16)) >>> 0;
}
