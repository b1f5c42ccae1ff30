import type { DeviceReading } from './reading.ts';

/** What the gateway answers on a serial line. */
export type Reply = { kind: 'ack'; seq: number } | { kind: 'nak'; seq: number; reason: string };

/** jsonl: one JSON document per line, as a microcontroller prints it. JSON escapes line ends, so the newline is never part of it. */
export function encodeLine(reading: DeviceReading): Uint8Array {
	return Buffer.from(`${JSON.stringify(reading)}\n`);
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
