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

/** How a device writes a reading. Its lengths differ, so that a reader tells shapes apart by them. */
interface Shape {
	/** What the topic has after the sensor. */
	suffix: string;
	/** With SEQ_DIGITS where its sequence number goes, in `seq` or in the fraction of its value. */
	textOf(sensor: string): string;
}

const SEQ_DIGITS = String(FIRST_SEQ);
const TIME_DIGITS = '9000000000000';

const FULL: Shape = {
	suffix: '',
	textOf: (sensor) =>
		`{"sensorId":"${sensor}","metric":"co2","value":400.5,"unit":"ppm","buildingId":"${BUILDING}",` +
		`"roomId":"${ROOM}","observedAt":${TIME_DIGITS},"seq":${SEQ_DIGITS},"boot":"a1f3"}`,
};

/** What real devices send in turn: several metrics, with and without `seq`, `boot` and time, bare numbers. */
export const SHAPES: readonly Shape[] = [
	FULL,
	{ suffix: '', textOf: () => `{"metric":"temperature","value":21.5,"seq":${SEQ_DIGITS}}` },
	{ suffix: '/co2', textOf: () => `{"value":400.${SEQ_DIGITS},"observedAt":${TIME_DIGITS}}` },
	{ suffix: '/co2', textOf: () => `400.${SEQ_DIGITS}` },
	{
		suffix: '',
		textOf: (sensor) =>
			`{"sensorId":"${sensor}","metric":"humidity","value":45.5,"unit":"%",` +
			`"observedAt":${TIME_DIGITS},"seq":${SEQ_DIGITS}}`,
	},
];

/** The sequence number of a stored reading, whatever its shape. */
export function seqOf({ seq, value }: { seq?: number; value: number }): number {
	return seq ?? Math.round((value - Math.floor(value)) * 1e7);
}

/** Writes the readings of one sensor, full ones about 150 bytes each, without creating objects or strings. */
export class ReadingWriter {
	readonly length: number;
	/** Sequence number of the next reading. */
	next = FIRST_SEQ;
	readonly #template: Buffer;
	readonly #valueAt: number;
	readonly #observedAt: number;
	readonly #seqAt: number;

	constructor(sensor: string, shape: Shape = FULL) {
		const text = shape.textOf(sensor);
		this.#template = Buffer.from(text);
		this.#valueAt = text.indexOf('400.5');
		this.#observedAt = text.indexOf(TIME_DIGITS);
		this.#seqAt = text.indexOf(SEQ_DIGITS);
		this.length = this.#template.length;
	}

	/** Writes the next reading to `target` at `at`, observed at `now` (epoch ms). */
	write(target: Buffer, at: number, now: number): void {
		this.#template.copy(target, at);
		if (this.#valueAt >= 0) writeDigits(target, at + this.#valueAt, 3, 400 + (this.next % 500));
		if (this.#observedAt >= 0) writeDigits(target, at + this.#observedAt, 13, now);
		writeDigits(target, at + this.#seqAt, 7, this.next++);
	}
}

/** Where the digits of the sequence number are, by the length of the reading. */
const SEQ_OFFSETS = new Map(
	SHAPES.map((shape) => {
		const text = shape.textOf(sensorId(0));
		return [text.length, text.indexOf(SEQ_DIGITS)];
	}),
);
const FULL_LENGTH = FULL.textOf(sensorId(0)).length;

/** Reads the sequence number of a reading that ReadingWriter wrote at `at`; without its `length`, of a full one. */
export function seqAt(source: Buffer, at: number, length = FULL_LENGTH): number {
	const from = at + SEQ_OFFSETS.get(length)!;
	let seq = 0;
	for (let index = from; index < from + 7; index++) seq = seq * 10 + source[index]! - ZERO;
	return seq;
}
