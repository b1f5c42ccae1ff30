import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';

const SAMPLE_BYTES = 256;
/** Longer than a token that begins in a sample. */
const LOOKED_AT_BYTES = 8192;
/**
 * What a device's token looks like, wherever it turns up: a line `HELLO <deviceId> <token>` that lost its end is a
 * payload like any other.
 */
const TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}\.?[\w-]*/g;
const CONTROL = /[^\P{Cc}\t\n\r]|\ufffd/u;

/** The bytes of a message as JSON can hold them: text where they are text. */
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

/** The same without what looks like a token; `undefined` where nothing does. */
export function withoutTokens(bytes: Buffer): Buffer | undefined {
	const text = bytes.toString('latin1');
	const without = text.replace(TOKEN, '(token)');
	return without === text ? undefined : Buffer.from(without, 'latin1');
}

/**
 * The beginning of a payload as a person can read it. What looks like a token is not shown, also where it goes on
 * behind what is.
 */
export function sampleOf(bytes: Buffer): string {
	const beginning = bytes.subarray(0, LOOKED_AT_BYTES);
	const payload = withoutTokens(beginning) ?? beginning;
	const start = payload.subarray(0, SAMPLE_BYTES);
	// Cut in the middle of a character, a text is one all the same.
	const text = start.length < payload.length ? new StringDecoder('utf8').write(start) : start.toString('utf8');
	return CONTROL.test(text) ? `hex ${start.toString('hex')}` : text;
}
