/** The bytes of a message as JSON can hold them, and as a person may read them: without secrets. */
import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { withoutSecrets } from './secrets.ts';

const SAMPLE_BYTES = 256;
/** Covers a secret that begins in the sample and continues after it. */
const SEARCHED_BYTES = 8192;
const CONTROL = /[^\P{Cc}\t\n\r]|\ufffd/u;

/** The bytes of a message in JSON: as text, or as base64 if they are no UTF-8. */
export interface Payload {
	raw: string;
	encoding: 'utf8' | 'base64';
}

export function encodePayload(bytes: Buffer): Payload {
	return isUtf8(bytes)
		? { raw: bytes.toString('utf8'), encoding: 'utf8' }
		: { raw: bytes.toString('base64'), encoding: 'base64' };
}

export function decodePayload({ raw, encoding }: Payload): Buffer {
	return Buffer.from(raw, encoding);
}

/**
 * The beginning of a payload for a person to read: text, or `hex` and digits if it is not text. Secrets are left out,
 * also one that continues after the sample.
 */
export function sampleOf(bytes: Buffer): string {
	const beginning = bytes.subarray(0, SEARCHED_BYTES);
	const payload = Buffer.from(withoutSecrets(beginning.toString('latin1')), 'latin1');
	const start = payload.subarray(0, SAMPLE_BYTES);
	// A text that is cut inside a character is still a text.
	const text = start.length < payload.length ? new StringDecoder('utf8').write(start) : start.toString('utf8');
	return CONTROL.test(text) ? `hex ${start.toString('hex')}` : text;
}
