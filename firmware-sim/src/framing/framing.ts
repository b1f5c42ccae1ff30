import { encode } from 'cborg';
import type { DeviceReading } from '../reading.ts';
import { crc16, encodeCobs } from './cobs.ts';

/** How a device writes readings to a serial line: JSON per line, CSV per line, or CBOR with a CRC in COBS frames. */
export const FRAMINGS = ['jsonl', 'csv', 'cobs'] as const;
export type FramingName = (typeof FRAMINGS)[number];

/** Encodes what a device writes to a serial line. */
export interface Encoder {
	/** Written first, when the device is switched on. */
	readonly preamble: Uint8Array;
	reading(reading: DeviceReading): Uint8Array;
	/** A message other than a reading, such as HELLO. */
	message(text: string): Uint8Array;
}

/** The gateway's answer to a reading on a serial line. */
export type Reply = { kind: 'ack'; seq: number } | { kind: 'nak'; seq: number; reason: string };

/** Encodes a reading as one line of JSON. JSON escapes line ends, so the only newline is the one at the end. */
export function encodeLine(reading: DeviceReading): Uint8Array {
	return line(JSON.stringify(reading));
}

/** With `checksum`, each line ends in `*` and the CRC of what precedes it. COBS frames always contain a CRC. */
export function createEncoder(framing: FramingName, checksum = false): Encoder {
	const sealed = checksum
		? (text: string) => `${text}*${crc16(Buffer.from(text)).toString(16).toUpperCase().padStart(4, '0')}`
		: (text: string) => text;
	const message = (text: string) => line(text);
	switch (framing) {
		case 'jsonl':
			return { preamble: NOTHING, message, reading: (reading) => line(sealed(JSON.stringify(reading))) };
		case 'csv':
			// The leading newline ends a row that was cut off, so that it does not run into this one.
			return {
				preamble: line(sealed(COLUMNS.join(','))),
				message,
				reading: (reading) => line(`\n${sealed(COLUMNS.map((column) => cell(reading[column])).join(','))}`),
			};
		case 'cobs':
			return { preamble: NOTHING, message: frame, reading: frame };
	}
}

const NOTHING = new Uint8Array(0);
const COLUMNS = ['seq', 'boot', 'sensorId', 'metric', 'value', 'unit', 'buildingId', 'roomId', 'observedAt'] as const;

const line = (text: string): Uint8Array => Buffer.from(`${text}\n`);

function cell(value: string | number | undefined): string {
	const text = String(value ?? '');
	return /^[\w.:-]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

/** A zero, the COBS encoding of CBOR and CRC, a zero. */
function frame(value: unknown): Uint8Array {
	const payload = encode(value, { ignoreUndefinedProperties: true });
	const crc = crc16(payload);
	return Buffer.from([0, ...encodeCobs([...payload, crc >> 8, crc & 0xff]), 0]);
}

/** Parses `ACK <seq>` or `NAK <seq> <reason>`; undefined for anything else, such as a command or half a line. */
export function parseReply(line: string): Reply | undefined {
	const match = /^(ACK|NAK) (\d{1,16})(?: (.*))?$/.exec(line.trimEnd());
	if (!match) return undefined;
	const seq = Number(match[2]);
	return match[1] === 'ACK' ? { kind: 'ack', seq } : { kind: 'nak', seq, reason: match[3] ?? '' };
}

/** Splits bytes into lines. A line longer than `maxBytes` is discarded to its end and counted in `discarded`. */
export class LineSplitter {
	readonly #maxBytes: number;
	#rest: Uint8Array[] = [];
	#length = 0;
	#skipping = false;
	discarded = 0;

	constructor(maxBytes = 1024) {
		this.#maxBytes = maxBytes;
	}

	push(chunk: Uint8Array): string[] {
		const lines: string[] = [];
		let from = 0;
		for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
			this.#append(chunk.subarray(from, end));
			if (!this.#skipping) lines.push(Buffer.concat(this.#rest).toString('utf8'));
			this.#clear();
			this.#skipping = false;
			from = end + 1;
		}
		this.#append(chunk.subarray(from));
		return lines;
	}

	#append(bytes: Uint8Array): void {
		if (this.#skipping || bytes.length === 0) return;
		if (this.#length + bytes.length > this.#maxBytes) {
			this.#clear();
			this.#skipping = true;
			this.discarded++;
			return;
		}
		this.#rest.push(bytes);
		this.#length += bytes.length;
	}

	#clear(): void {
		this.#rest = [];
		this.#length = 0;
	}
}
