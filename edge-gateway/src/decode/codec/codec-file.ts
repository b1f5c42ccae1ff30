/** Reads the files of vendors' payload codecs, and finds those that do not parse. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Script } from 'node:vm';

/** The text of a codec, and the name of its file for messages. */
export interface CodecFile {
	name: string;
	text: string;
}

/** The largest codecs in public repositories have about 200 kB. */
const MAX_CODEC_BYTES = 1024 * 1024;
/** The functions by which network servers call a codec. */
const ENTRY = /\b(decodeUplink|Decode|Decoder)\b/;

/** Reads a codec, by a path relative to the working directory. @throws the file system's error */
export function readCodecFile(path: string): CodecFile {
	return { name: basename(path), text: readFileSync(path, 'utf8') };
}

/**
 * Why this file cannot be a codec, undefined if it can be one. It is only parsed here; what runs it is the sandbox.
 */
export function codecFileProblem(path: string): string | undefined {
	let text: string;
	try {
		({ text } = readCodecFile(path));
	} catch (error) {
		return `cannot be read: ${(error as Error).message}`;
	}
	if (Buffer.byteLength(text) > MAX_CODEC_BYTES) return `is larger than ${MAX_CODEC_BYTES} bytes`;
	try {
		// Parses without running anything.
		new Script(text, { filename: path });
	} catch (error) {
		return `does not parse: ${placeOf(error as Error, path)}`;
	}
	return ENTRY.test(text) ? undefined : 'has none of the functions decodeUplink, Decode and Decoder';
}

/** The place and the reason of a SyntaxError: `codecs/vs121.js:3: Unexpected token '}'`. */
function placeOf({ stack = '', message }: Error, path: string): string {
	const [first] = stack.split('\n', 1) as [string];
	return first.startsWith(`${path}:`) ? `${first}: ${message}` : `${path}: ${message}`;
}
