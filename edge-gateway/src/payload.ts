/** The bytes of a message as JSON can hold them, and as a person may read them: without tokens. */
import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';

const SAMPLE_BYTES = 256;
/** Covers a token that begins in the sample and continues after it. */
const SEARCHED_BYTES = 8192;
/**
 * The form of a device's token. It may turn up in any payload: a line `HELLO <deviceId> <token>` that lost its end is a
 * payload like any other.
 */
const TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}\.?[\w-]*/g;
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

/** The bytes with everything that looks like a token replaced; undefined if nothing does. */
export function withoutTokens(bytes: Buffer): Buffer | undefined {
	const text = bytes.toString('latin1');
	const without = text.replace(TOKEN, '(token)');
	return without === text ? undefined : Buffer.from(without, 'latin1');
}

/**
 * The beginning of a payload for a person to read: text, or `hex` and digits if it is not text. Tokens are left out,
 * also one that continues after the sample.
 */
export function sampleOf(bytes: Buffer): string {
	const beginning = bytes.subarray(0, SEARCHED_BYTES);
	const payload = withoutTokens(beginning) ?? beginning;
	const start = payload.subarray(0, SAMPLE_BYTES);
	// A text that is cut inside a character is still a text.
	const text = start.length < payload.length ? new StringDecoder('utf8').write(start) : start.toString('utf8');
	return CONTROL.test(text) ? `hex ${start.toString('hex')}` : text;
}
