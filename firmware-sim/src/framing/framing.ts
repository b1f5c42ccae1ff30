import { encode } from 'cborg';
import type { DeviceReading } from '../reading.ts';
import { crc16, encodeCobs } from './cobs.ts';

/** How a device on a serial line writes: a JSON document a line, a row of CSV a line, or CBOR with its CRC in COBS. */
export const FRAMINGS = ['jsonl', 'csv', 'cobs'] as const;
export type FramingName = (typeof FRAMINGS)[number];

export interface Encoder {
	/** What is written first after switching on. */
	readonly preamble: Uint8Array;
	reading(reading: DeviceReading): Uint8Array;
	/** A word to the gateway, such as HELLO. */
	word(text: string): Uint8Array;
}

/** What the gateway answers on a serial line. */
export type Reply = { kind: 'ack'; seq: number } | { kind: 'nak'; seq: number; reason: string };

/**
 * jsonl: one JSON document per line, as a microcontroller prints it. JSON escapes line ends, so the newline is never
 * part of it.
 */
export function encodeLine(reading: DeviceReading): Uint8Array {
	return line(JSON.stringify(reading));
}

/** With `checksum`, lines end in `*` and the CRC of what stands before it. COBS has a CRC anyhow. */
export function createEncoder(framing: FramingName, checksum = false): Encoder {
	const sealed = checksum
		? (text: string) => `${text}*${crc16(Buffer.from(text)).toString(16).toUpperCase().padStart(4, '0')}`
		: (text: string) => text;
	const word = (text: string) => line(text);
	switch (framing) {
		case 'jsonl':
			return { preamble: NOTHING, word, reading: (reading) => line(sealed(JSON.stringify(reading))) };
		case 'csv':
			// The newline before it keeps what was cut off from running into it.
			return {
				preamble: line(sealed(COLUMNS.join(','))),
				word,
				reading: (reading) => line(`\n${sealed(COLUMNS.map((column) => cell(reading[column])).join(','))}`),
			};
		case 'cobs':
			return { preamble: NOTHING, word: frame, reading: frame };
	}
}

const NOTHING = new Uint8Array(0);
const COLUMNS = ['seq', 'boot', 'sensorId', 'metric', 'value', 'unit', 'buildingId', 'roomId', 'observedAt'] as const;

const line = (text: string): Uint8Array => Buffer.from(`${text}\n`);

function cell(value: string | number | undefined): string {
	const text = String(value ?? '');
	return /^[\w.:-]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

/** Zero, COBS of CBOR and CRC, zero. */
function frame(value: unknown): Uint8Array {
	const payload = encode(value, { ignoreUndefinedProperties: true });
	const crc = crc16(payload);
	return Buffer.from([0, ...encodeCobs([...payload, crc >> 8, crc & 0xff]), 0]);
}

/** `ACK <seq>` or `NAK <seq> <reason>`; undefined for anything else, such as a command or half a line. */
export function parseReply(line: string): Reply | undefined {
	const match = /^(ACK|NAK) (\d{1,16})(?: (.*))?$/.exec(line.trimEnd());
	if (!match) return undefined;
	const seq = Number(match[2]);
	return match[1] === 'ACK' ? { kind: 'ack', seq } : { kind: 'nak', seq, reason: match[3] ?? '' };
}

/** Cuts bytes into lines; one that grows longer than `maxBytes` is thrown away up to its end, and counted. */
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
			this.#keep(chunk.subarray(from, end));
			if (!this.#skipping) lines.push(Buffer.concat(this.#rest).toString('utf8'));
			this.#clear();
			this.#skipping = false;
			from = end + 1;
		}
		this.#keep(chunk.subarray(from));
		return lines;
	}

	#keep(bytes: Uint8Array): void {
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
