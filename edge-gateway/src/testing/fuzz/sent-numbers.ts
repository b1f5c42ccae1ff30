import { decode } from 'cborg';
import { decodeCobs } from '../../sources/framing/cobs.ts';
import { crc16 } from '../../sources/framing/crc16.ts';

const MAX_DIGITS = 20;
/** No metric of the catalog has larger values: larger numbers cannot become readings. */
const MAX_VALUE = 200_000;

/**
 * All numbers that the bytes sent so far could be read as, whatever was cut off: a value in the log that is not among
 * them was invented by the gateway.
 */
export class SentNumbers {
	readonly #numbers = new Set<number>();
	readonly #tails = new Map<string, string>();

	/** How many numbers it holds; their memory is the fuzzer's, not the gateway's. */
	get size(): number {
		return this.#numbers.size;
	}

	has(value: number): boolean {
		return this.#numbers.has(value);
	}

	/** Adds the numbers in a text. @param stream name of a stream whose last text this one continues */
	text(bytes: Buffer, stream?: string): void {
		const before = stream === undefined ? '' : (this.#tails.get(stream) ?? '');
		const text = before + bytes.toString('latin1');
		if (stream !== undefined) this.#tails.set(stream, text.slice(-MAX_DIGITS));
		// A comma may be the decimal sign of a number, or stand between two.
		const decimal = text.replaceAll(',', '.');
		for (const [digits] of [...text.matchAll(/[-+0-9.eE]+/g), ...decimal.matchAll(/[-+0-9.eE]+/g)]) {
			for (let from = 0; from < digits.length; from++) {
				for (let to = from + 1; to <= Math.min(digits.length, from + MAX_DIGITS); to++) {
					const number = Number(digits.slice(from, to));
					if (Math.abs(number) <= MAX_VALUE) this.#numbers.add(number);
				}
			}
		}
	}

	/** Adds the numbers in the COBS frames of a stream, of those with a correct CRC. */
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
			// A frame that is no CBOR holds no number.
		}
	}
}
