/** The first sequence number of every sensor. All numbers have seven digits, so all readings have the same length. */
export const FIRST_SEQ = 1_000_000;
export const BUILDING = 'bench';
const ROOM = 'hall';

/** The id of a sensor; all ids have the same length. */
export const sensorId = (index: number) => `s-${String(index).padStart(3, '0')}`;
export const topicOf = (sensor: string) => `telemetry/${BUILDING}/${ROOM}/${sensor}`;

const ZERO = 48;

function writeDigits(target: Buffer, at: number, digits: number, value: number): void {
	let rest = value;
	for (let index = at + digits - 1; index >= at; index--) {
		const next = Math.floor(rest / 10);
		target[index] = ZERO + rest - next * 10;
		rest = next;
	}
}

/** Writes the readings of one sensor, about 150 bytes each, without creating objects or strings. */
export class ReadingWriter {
	readonly length: number;
	readonly #template: Buffer;
	readonly #valueAt: number;
	readonly #observedAt: number;
	readonly #seqAt: number;
	#next = FIRST_SEQ;

	constructor(sensor: string) {
		const text =
			`{"sensorId":"${sensor}","metric":"co2","value":400.5,"unit":"ppm","buildingId":"${BUILDING}",` +
			`"roomId":"${ROOM}","observedAt":1000000000000,"seq":${FIRST_SEQ},"boot":"a1f3"}`;
		this.#template = Buffer.from(text);
		this.#valueAt = text.indexOf('400.5');
		this.#observedAt = text.indexOf('1000000000000');
		this.#seqAt = text.indexOf(`"seq":`) + '"seq":'.length;
		this.length = this.#template.length;
	}

	/** Sequence number of the next reading. */
	get next(): number {
		return this.#next;
	}

	/** Writes the next reading to `target` at `at`, observed at `now` (epoch ms). */
	write(target: Buffer, at: number, now: number): void {
		this.#template.copy(target, at);
		writeDigits(target, at + this.#valueAt, 3, 400 + (this.#next % 500));
		writeDigits(target, at + this.#observedAt, 13, now);
		writeDigits(target, at + this.#seqAt, 7, this.#next++);
	}
}

/** Reads the sequence number of a reading that ReadingWriter wrote at `at`. */
export function seqAt(source: Buffer, at: number): number {
	let seq = 0;
	for (let index = at + SEQ_OFFSET; index < at + SEQ_OFFSET + 7; index++) seq = seq * 10 + source[index]! - ZERO;
	return seq;
}
const SEQ_OFFSET = (() => {
	const buffer = Buffer.alloc(300);
	new ReadingWriter(sensorId(0)).write(buffer, 0, 0);
	return buffer.indexOf('"seq":') + 6;
})();
