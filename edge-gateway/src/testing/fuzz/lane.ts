import { CrowdVisionError } from '@crowdvision/contracts';
import { DecodeError } from '../../decode/message/candidate.ts';
import { type Decoding, NO_READING } from '../../decode/message/decoder.ts';
import type { Chance } from './mutations.ts';

/** One way to send input to the gateway or a decoder. */
export interface Lane {
	name: string;
	/** Makes one input, calls `sent` with it, and sends it. Resolves when the next one may be sent. */
	attack(chance: Chance, sent: (bytes: Buffer) => void): Promise<void>;
}

/** Lets other work of the process go on. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** @throws Error unless it is what a decoder may return */
export function requireDecoding(decoding: Decoding, what: string): void {
	if (typeof decoding === 'string') {
		if (!Object.hasOwn(NO_READING, decoding)) throw new Error(`${what} gave no known reason: ${decoding}`);
	} else if (!Array.isArray(decoding)) {
		if (decoding.state !== 'online' && decoding.state !== 'offline') throw new Error(`${what} gave no state`);
	} else if (decoding.length === 0) throw new Error(`${what} gave neither readings nor a reason`);
}

/** Whether a decoder may throw this. */
export const isRefusal = (error: unknown): boolean => error instanceof DecodeError || error instanceof CrowdVisionError;
