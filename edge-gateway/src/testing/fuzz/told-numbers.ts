import { decode } from 'cborg';
import { decodeCobs } from '../../sources/framing/cobs.ts';
import { crc16 } from '../../sources/framing/crc16.ts';

const LONGEST = 20;
/** No metric goes further (contracts' catalog): a reading beyond is refused, and need not be remembered. */
const FURTHEST = 200_000;

/**
 * Every number that what was sent may stand for, whatever was cut off it: the values of readings that a sender of text
 * may have meant. A value in the log that is not among them was invented.
 */
export class ToldNumbers {
	readonly #numbers = new Set<number>();
	readonly #tails = new Map<string, string>();

	/** How many it remembers: memory of the fuzzer's, not of the gateway's. */
	get size(): number {
		return this.#numbers.size;
	}

	has(value: number): boolean {
		return this.#numbers.has(value);
	}

	/** `stream`: what this goes on from, where frames may begin in one piece and end in the next. */
	text(bytes: Buffer, stream?: string): void {
		const before = stream === undefined ? '' : (this.#tails.get(stream) ?? '');
		const text = before + bytes.toString('latin1');
		if (stream !== undefined) this.#tails.set(stream, text.slice(-LONGEST));
		for (const [digits] of text.matchAll(/[-+0-9.eE]+/g)) {
			for (let from = 0; from < digits.length; from++) {
				for (let to = from + 1; to <= Math.min(digits.length, from + LONGEST); to++) {
					const number = Number(digits.slice(from, to));
					if (Math.abs(number) <= FURTHEST) this.#numbers.add(number);
				}
			}
		}
	}

	/** A stream of COBS frames: the numbers in those whose CRC is right. */
	cobs(bytes: Buffer, stream: string): void {
		const frames = Buffer.concat([Buffer.from(this.#tails.get(stream) ?? '', 'latin1'), bytes]);
		let start = 0;
		for (let end = frames.indexOf(0); end !== -1; end = frames.indexOf(0, start)) {
			const body = decodeCobs(frames.subarray(start, end));
			start = end + 1;
			if (body && body.length > 2 && crc16(body.subarray(0, -2)) === body.readUInt16BE(body.length - 2))
				this.#numbersIn(body.subarray(0, -2));
		}
		this.#tails.set(stream, frames.subarray(start).subarray(-70_000).toString('latin1'));
	}

	#numbersIn(body: Buffer): void {
		try {
			JSON.stringify(decode(body), (_key, value: unknown) => {
				if (typeof value === 'number') this.#numbers.add(value);
				return typeof value === 'bigint' ? Number(value) : value;
			});
		} catch {
			// No CBOR: no number.
		}
	}
}
