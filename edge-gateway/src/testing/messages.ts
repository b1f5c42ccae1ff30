import { CrowdVisionError } from '@crowdvision/contracts';
import { expect } from 'vitest';
import { type Candidate, DecodeError } from '../decode/message/candidate.ts';
import { type Decoding, type Message, NO_READING } from '../decode/message/decoder.ts';

/** When the messages of the tests arrive. */
export const NOW = Date.UTC(2026, 10, 28, 12);

/**
 * A message on its way to a decoder; what is no text or bytes is sent as JSON. `name` is what the wildcards of its rule
 * stand for.
 */
export function message(source: string, payload: unknown, name?: string): Message {
	const raw = Buffer.isBuffer(payload)
		? payload
		: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
	return { raw, source, sender: 'sender', name, receivedAt: NOW };
}

/** The candidates of a message that holds readings. */
export function candidatesIn(decoding: Decoding): Candidate[] {
	if (typeof decoding === 'string') throw new Error(`it holds no reading: ${decoding}`);
	return decoding.map(({ candidate }) => candidate);
}

/** What a message is refused for. */
export function refusalOf(decode: () => unknown): string {
	try {
		decode();
	} catch (error) {
		if (error instanceof DecodeError) return `${error.code} ${error.index}: ${error.message}`;
		throw error;
	}
	throw new Error('it was not refused');
}

/** Holds a decoder to its contract, whatever it was given: readings, a reason for there being none, or a refusal. */
export function expectDecoded(decode: () => Decoding): void {
	let decoding: Decoding;
	try {
		decoding = decode();
	} catch (error) {
		const refused = error instanceof DecodeError || (error instanceof CrowdVisionError && error.code === 'not_json');
		if (!refused) throw error;
		return;
	}
	if (typeof decoding === 'string') expect(Object.keys(NO_READING)).toContain(decoding);
	else {
		expect(decoding.length).toBeGreaterThan(0);
		for (const { candidate, index } of decoding) {
			expect(typeof candidate).toBe('object');
			expect(index).toBeGreaterThanOrEqual(0);
		}
	}
	expect(Object.keys(Object.prototype)).toEqual([]);
	expect(({} as Candidate).metric).toBeUndefined();
}
