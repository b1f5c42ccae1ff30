/** The record of a reading as it is kept: only digits change from one to the next. */
import { type DedupKey, RecordImage } from '@crowdvision/log';
import { ownCopy } from './own-copy.ts';
import type { PayloadShape } from './payload-shape.ts';

/** What a record says of the reading that an image is made from. */
export interface WrittenReading {
	logId: string;
	offset: number;
	value: number;
	/** Epoch ms. */
	observedAt: number;
	receivedAt: number;
	seq: number | undefined;
	/** The JSON that the encoder wrote. */
	json: string;
	key: DedupKey | undefined;
}

const ZERO = 0x30;
const TIME_DIGITS = 13;
/** Room for the digits of offset, value, two times and seq. */
const MAX_DIGITS = 80;
const BEFORE_OBSERVED = Buffer.from(',"observedAt":');
const BEFORE_RECEIVED = Buffer.from(',"receivedAt":');

/** The JSON of a reading between its digits: offset, value, time of observation, time of receipt, seq. */
interface Parts {
	start: Buffer;
	beforeValue: Buffer;
	beforeObserved: Buffer;
	beforeReceived: Buffer;
	beforeSeq: Buffer;
	end: Buffer;
}

/**
 * The record of a reading with its dedup key, as the log holds it. `write` puts in the digits of the next message;
 * where they are as many as before, nothing else is touched.
 */
export class ReadingImage {
	readonly record: RecordImage;
	readonly #parts: Parts;
	#offsetDigits = -1;
	#valueDigits = -1;
	#seqDigits = -1;
	#offsetAt = 0;
	#valueAt = 0;
	#observedAt = 0;
	#receivedAt = 0;
	#seqAt = 0;
	#observed = -1;
	#received = -1;

	private constructor(parts: Parts, key: DedupKey | undefined) {
		this.#parts = parts;
		const fixed = Object.values(parts).reduce((sum: number, part: Buffer) => sum + part.length, 0);
		this.record = new RecordImage(key, fixed + MAX_DIGITS);
	}

	/**
	 * The image of a reading that was written; undefined if its JSON is not put together as is assumed here. `shape` must
	 * just have matched `raw`.
	 */
	static of(written: WrittenReading, shape: PayloadShape, raw: Buffer): ReadingImage | undefined {
		const parts = partsOf(written);
		if (!parts) return undefined;
		const image = new ReadingImage(parts, written.key);
		image.write(written.offset, shape, raw, written.observedAt, written.receivedAt);
		const { bytes, payloadStart, length } = image.record;
		return bytes.toString('utf8', payloadStart, length) === written.json ? image : undefined;
	}

	/** Puts in the numbers of a message that `shape` has just matched. */
	write(offset: number, shape: PayloadShape, raw: Buffer, observedAt: number, receivedAt: number): void {
		const { valueStart, valueEnd, seqStart, seqEnd } = shape;
		const offsetDigits = digitsOf(offset);
		const valueDigits = valueEnd - valueStart;
		const seqDigits = shape.hasSeq ? seqEnd - seqStart : 0;
		if (offsetDigits !== this.#offsetDigits || valueDigits !== this.#valueDigits || seqDigits !== this.#seqDigits)
			this.#layOut(offsetDigits, valueDigits, seqDigits);
		const { bytes } = this.record;
		writeDigits(bytes, this.#offsetAt, offsetDigits, offset);
		for (let i = 0; i < valueDigits; i++) bytes[this.#valueAt + i] = raw[valueStart + i]!;
		for (let i = 0; i < seqDigits; i++) bytes[this.#seqAt + i] = raw[seqStart + i]!;
		if (observedAt !== this.#observed) writeDigits(bytes, this.#observedAt, TIME_DIGITS, observedAt);
		if (receivedAt !== this.#received) writeDigits(bytes, this.#receivedAt, TIME_DIGITS, receivedAt);
		this.#observed = observedAt;
		this.#received = receivedAt;
	}

	#layOut(offsetDigits: number, valueDigits: number, seqDigits: number): void {
		const { record } = this;
		const { start, beforeValue, beforeObserved, beforeReceived, beforeSeq, end } = this.#parts;
		let at = record.payloadStart;
		const put = (part: Buffer) => {
			at += part.copy(record.bytes, at);
			return at;
		};
		this.#offsetAt = put(start);
		at += offsetDigits;
		this.#valueAt = put(beforeValue);
		at += valueDigits;
		this.#observedAt = put(beforeObserved);
		at += TIME_DIGITS;
		this.#receivedAt = put(beforeReceived);
		at += TIME_DIGITS;
		this.#seqAt = put(beforeSeq);
		at += seqDigits;
		record.length = put(end);
		this.#offsetDigits = offsetDigits;
		this.#valueDigits = valueDigits;
		this.#seqDigits = seqDigits;
		this.#observed = -1;
		this.#received = -1;
	}
}

/** Cuts the JSON of a reading where its digits are. `image` compares the result with the JSON as a whole. */
function partsOf({ logId, offset, value, observedAt, receivedAt, seq, json }: WrittenReading): Parts | undefined {
	if (digitsOf(observedAt) !== TIME_DIGITS || digitsOf(receivedAt) !== TIME_DIGITS) return undefined;
	const start = `{"id":"${logId}-`;
	const headAt = start.length + String(offset).length;
	// The first key of this name: texts before it hold no bare quotation marks.
	const valueAt = json.indexOf('"value":') + '"value":'.length;
	const restAt =
		valueAt + String(value).length + (BEFORE_OBSERVED.length + TIME_DIGITS + BEFORE_RECEIVED.length + TIME_DIGITS);
	const rest = json.slice(restAt);
	const beforeSeq = seq === undefined ? '' : rest.slice(0, rest.indexOf('"seq":') + '"seq":'.length);
	const end = rest.slice(beforeSeq.length + (seq === undefined ? 0 : String(seq).length));
	return {
		start: ownCopy(start),
		beforeValue: ownCopy(json.slice(headAt, valueAt)),
		beforeObserved: BEFORE_OBSERVED,
		beforeReceived: BEFORE_RECEIVED,
		beforeSeq: ownCopy(beforeSeq),
		end: ownCopy(end),
	};
}

function digitsOf(number: number): number {
	let digits = 1;
	for (let limit = 10; number >= limit; limit *= 10) digits++;
	return digits;
}

function writeDigits(bytes: Buffer, at: number, digits: number, number: number): void {
	let rest = number;
	for (let i = at + digits - 1; i >= at; i--) {
		const next = Math.floor(rest / 10);
		bytes[i] = ZERO + rest - next * 10;
		rest = next;
	}
}
