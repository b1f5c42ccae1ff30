import { crc32 } from 'node:zlib';
import { type DedupKey, KEY_FIXED, RECORD_HEADER, writeHeader } from './record.ts';

/** Parts of images of other lengths that are kept, so that not every CRC makes a view of its own. */
const MAX_VIEWS = 16;

/**
 * A record that is written again and again with other digits in its payload. It is made once; after that its owner
 * changes the payload in place, and the log fills in the header. Source and boot of the key stay the same.
 */
export class RecordImage {
	/** Source and boot of its records, with seq and hash of the next one; undefined for records without a key. */
	readonly key: DedupKey | undefined;
	/** The whole record. The payload begins at `payloadStart`. */
	readonly bytes: Buffer;
	readonly payloadStart: number;
	/** Bytes of the record with its present payload. Set it after every change of the payload's length. */
	length: number;
	/** By length, what the CRC covers. */
	readonly #views = new Map<number, Buffer>();
	readonly #keyLength: number;

	/** @param maxPayload the most bytes that a payload of it may have */
	constructor(key: Pick<DedupKey, 'source' | 'boot'> | undefined, maxPayload: number) {
		const source = Buffer.from(key?.source ?? '');
		const boot = Buffer.from(key?.boot ?? '');
		this.key = key && { source: key.source, boot: key.boot, seq: 0, hash: 0 };
		this.#keyLength = key ? KEY_FIXED + source.length + boot.length : 0;
		this.payloadStart = RECORD_HEADER + this.#keyLength;
		this.length = this.payloadStart;
		this.bytes = Buffer.alloc(this.payloadStart + maxPayload);
		if (!key) return;
		const at = RECORD_HEADER + 12;
		this.bytes.writeUInt8(source.length, at);
		source.copy(this.bytes, at + 1);
		this.bytes.writeUInt8(boot.length, at + 1 + source.length);
		boot.copy(this.bytes, at + 2 + source.length);
	}

	/** Completes the record with the key's present seq and hash, its offset, times and CRC. */
	seal(offset: number, at: number, seconds: number): void {
		const { bytes, key, length } = this;
		if (key) {
			bytes.writeUInt32LE(key.hash >>> 0, RECORD_HEADER);
			bytes.writeDoubleLE(key.seq, RECORD_HEADER + 4);
		}
		writeHeader(bytes, 0, length, this.#keyLength, offset, at, seconds);
		bytes.writeUInt32LE(crc32(this.#covered(length)), 4);
	}

	#covered(length: number): Buffer {
		let view = this.#views.get(length);
		if (!view) {
			if (this.#views.size >= MAX_VIEWS) this.#views.clear();
			view = this.bytes.subarray(8, length);
			this.#views.set(length, view);
		}
		return view;
	}
}
