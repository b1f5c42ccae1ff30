/** The framing `cobs`: CBOR in COBS, with a CRC-16. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { readCbor } from '../../decode/formats/cbor.ts';
import { DecodeError } from '../../decode/message/candidate.ts';
import { BoundedFrame } from './bounded-frame.ts';
import { decodeCobs } from './cobs.ts';
import { crc16 } from './crc16.ts';
import type { FrameListener, Framing } from './framing.ts';

const END = 0;
const CRC_BYTES = 2;
/** Major type 3 of CBOR: a text string (RFC 8949 section 3.1). */
const TEXT = 3;

/**
 * Framing `cobs`: each frame is COBS, ended by a zero byte, and holds CBOR (RFC 8949) followed by its
 * CRC-16/CCITT-FALSE, high byte first. Empty frames are ignored, so a device may also send a zero before each frame;
 * damage then costs the damaged frame only. After garbage, frames begin again at the next zero.
 */
export class CobsFraming implements Framing {
	readonly #listener: FrameListener;
	readonly #frame: BoundedFrame;

	constructor(limit: number, listener: FrameListener) {
		this.#frame = new BoundedFrame(limit);
		this.#listener = listener;
	}

	push(chunk: Buffer): void {
		let start = 0;
		for (let end = chunk.indexOf(END); end !== -1; end = chunk.indexOf(END, start)) {
			this.#frame.add(chunk.subarray(start, end));
			if (this.#frame.length > 0) this.#finish();
			start = end + 1;
		}
		this.#frame.add(chunk.subarray(start));
	}

	end(): void {
		if (this.#frame.length === 0) return;
		const frame = this.#frame.finish();
		if (!Buffer.isBuffer(frame)) return void this.#listener.discarded(frame);
		this.#discard(frame, `the port closed in the middle of a frame of ${frame.length} bytes`);
	}

	textOf(frame: Buffer): string | undefined {
		if (frame[0]! >> 5 !== TEXT) return undefined;
		try {
			const value = readCbor(frame);
			return typeof value === 'string' ? value : undefined;
		} catch {
			return undefined;
		}
	}

	decode(frame: Buffer): unknown {
		try {
			return readCbor(frame);
		} catch (error) {
			if (!(error instanceof DecodeError)) throw error;
			throw new CrowdVisionError('not_json', `The frame ${error.problem.message}`);
		}
	}

	#finish(): void {
		const frame = this.#frame.finish();
		if (!Buffer.isBuffer(frame)) return void this.#listener.discarded(frame);
		const content = decodeCobs(frame);
		if (!content) return void this.#discard(frame, 'the bytes between two zeros are not COBS');
		if (content.length <= CRC_BYTES)
			return void this.#discard(frame, `a frame of ${content.length} bytes has no room for a payload and its CRC`);
		const payload = content.subarray(0, -CRC_BYTES);
		const [stated, computed] = [content.readUInt16BE(payload.length), crc16(payload)];
		if (stated !== computed)
			return void this.#discard(frame, `the CRC is ${hex(computed)}, but the frame says ${hex(stated)}`);
		this.#listener.frame(payload);
	}

	#discard(sample: Buffer, reason: string): void {
		this.#listener.discarded({ sample, bytes: sample.length, reason });
	}
}

const hex = (crc: number) => crc.toString(16).toUpperCase().padStart(4, '0');
