import { LARGE_CHUNK, type RecordTaker } from './reader.ts';
import { type LogRecord, offsetAt, payloadStart, recordAt, timeAt } from './record.ts';

const NEWLINE = '\n'.charCodeAt(0);
const FIRST_SIZE = 16 * 1024;

/** How readers see records that differ from those on disk. */
export interface Amendment {
	amend: (record: LogRecord) => void;
	mayAmend: (offset: number) => boolean;
}

/**
 * Payloads copied one after the other into one buffer, a newline after each. For a consumer of tens of thousands of
 * records per second, which would spend most of its time on an object and a buffer for each. The memory is used again
 * by the next read.
 */
export class PayloadLines implements RecordTaker {
	/** Offset and time of each record. */
	readonly records: { offset: number; at: number }[] = [];
	#bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
	#length = 0;
	#chunk = Buffer.allocUnsafeSlow(FIRST_SIZE);
	#amendment: Amendment | undefined;

	/** The payloads, a newline after each; valid until the next read into these lines. */
	get bytes(): Buffer {
		return this.#bytes.subarray(0, this.#length);
	}

	/** Call it before each read. */
	begin(amendment: Amendment | undefined): void {
		this.records.length = 0;
		this.#length = 0;
		this.#amendment = amendment;
	}

	room(length: number): Buffer {
		if (this.#chunk.length < length)
			this.#chunk = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * this.#chunk.length, LARGE_CHUNK)));
		return this.#chunk;
	}

	take(bytes: Buffer, position: number, length: number): number {
		const offset = offsetAt(bytes, position);
		const start = payloadStart(bytes, position);
		if (this.#amendment?.mayAmend(offset)) {
			const record = recordAt(bytes, position, length);
			this.#amendment.amend(record);
			this.records.push({ offset, at: record.at });
			this.#add(record.payload, 0, record.payload.length);
		} else {
			this.records.push({ offset, at: timeAt(bytes, position) });
			this.#add(bytes, start, position + length);
		}
		return position + length - start;
	}

	#add(source: Buffer, from: number, to: number): void {
		const end = this.#length + to - from;
		if (end >= this.#bytes.length) this.#grow(end + 1);
		source.copy(this.#bytes, this.#length, from, to);
		this.#bytes[end] = NEWLINE;
		this.#length = end + 1;
	}

	#grow(size: number): void {
		const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#bytes.length));
		this.#bytes.copy(larger, 0, 0, this.#length);
		this.#bytes = larger;
	}
}
