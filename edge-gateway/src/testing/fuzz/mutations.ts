/** A random number generator that is deterministic for a given seed (mulberry32). */
export class Chance {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** A whole number from 0 to `below` - 1. */
	below(below: number): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let mixed = this.#state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	}

	of<T>(choices: readonly T[]): T {
		return choices[this.below(choices.length)]!;
	}

	bytes(most: number): Buffer {
		return Buffer.from(Array.from({ length: this.below(most + 1) }, () => this.below(256)));
	}
}

const STRANGE = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x7b, 0x7d, 0x2c, 0x23, 0x2b, 0xed, 0xc0];

/** A message of the corpus with one to four mutations; in one of twenty cases each, unchanged or random bytes only. */
export function mutated(corpus: readonly Buffer[], chance: Chance): Buffer {
	const roll = chance.below(20);
	if (roll === 0) return chance.bytes(400);
	let bytes = chance.of(corpus);
	if (roll === 1) return bytes;
	for (let times = 1 + chance.below(4); times > 0; times--) bytes = mutatedOnce(bytes, corpus, chance);
	return bytes;
}

function mutatedOnce(bytes: Buffer, corpus: readonly Buffer[], chance: Chance): Buffer {
	const at = chance.below(bytes.length + 1);
	const length = chance.below(Math.min(64, bytes.length - at + 1));
	const [before, cut, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
	switch (chance.below(8)) {
		case 0: {
			const flipped = Buffer.from(bytes);
			if (at < flipped.length) flipped[at]! ^= 1 << chance.below(8);
			return flipped;
		}
		case 1: {
			const set = Buffer.from(bytes);
			if (at < set.length) set[at] = chance.of(STRANGE);
			return set;
		}
		case 2:
			return Buffer.concat([before, chance.bytes(32), bytes.subarray(at)]);
		case 3:
			return Buffer.concat([before, after]);
		case 4:
			return Buffer.concat([before, cut, cut, cut, after]);
		case 5:
			return before;
		case 6:
			return Buffer.concat([before, chance.of(corpus), after]);
		default: {
			const other = chance.of(corpus);
			return Buffer.concat([before, other.subarray(chance.below(other.length + 1))]);
		}
	}
}

/** Cuts bytes into pieces of random sizes. */
export function inPieces(bytes: Buffer, chance: Chance): Buffer[] {
	if (chance.below(2) === 0) return [bytes];
	const pieces: Buffer[] = [];
	for (let at = 0; at < bytes.length; ) {
		const size = 1 + chance.below(chance.below(4) === 0 ? 3 : 200);
		pieces.push(bytes.subarray(at, at + size));
		at += size;
	}
	return pieces;
}
