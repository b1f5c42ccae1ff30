import { CrowdVisionError } from '@crowdvision/contracts';
import { expect } from 'vitest';
import { type Candidate, DecodeError } from '../decode/message/candidate.ts';
import { type Decoding, type Message, NO_READING } from '../decode/message/decoder.ts';

/** When the messages of the tests arrive, epoch ms. */
export const NOW = Date.UTC(2026, 10, 28, 12);

/**
 * A message for a decoder. A payload that is neither text nor bytes is encoded as JSON. `name` is the part of the topic
 * that the rule's wildcards match.
 */
export function message(source: string, payload: unknown, name?: string): Message {
	const raw = Buffer.isBuffer(payload)
		? payload
		: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
	return { raw, source, sender: 'sender', name, receivedAt: NOW };
}

/** The candidates of a message that holds readings. */
export function candidatesIn(decoding: Decoding): Candidate[] {
	if (!Array.isArray(decoding)) throw new Error(`the message holds no reading: ${JSON.stringify(decoding)}`);
	return decoding.map(({ candidate }) => candidate);
}

/** The refusal of a message, as `code index: message`. */
export function refusalOf(decode: () => unknown): string {
	try {
		decode();
	} catch (error) {
		if (error instanceof DecodeError) return `${error.code} ${error.index}: ${error.message}`;
		throw error;
	}
	throw new Error('the message was not refused');
}

/** Expects the outcome that a decoder must have for any input: readings, a reason for none, or a refusal. */
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
	else if (!Array.isArray(decoding)) expect(['online', 'offline']).toContain(decoding.state);
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
