/** One message as a pattern for those like it: its bytes, what was found out about it, and its record. */
import { MAX_AHEAD_MS } from '@crowdvision/contracts';
import { contentHash } from '../../normalize/dedupe.ts';
import type { Checked } from '../reading-validator.ts';
import type { WrittenRecord } from '../reading-writer.ts';
import { PayloadShape } from './payload-shape.ts';
import { ReadingImage } from './reading-image.ts';

/** Longer messages have no shape. */
const MAX_MESSAGE_BYTES = 4096;
/** About what a shape takes beside the bytes it compares and writes. */
const OBJECTS_BYTES = 3072;

/** A reading that took the long way. */
export interface LearntReading {
	/** Its bytes, which may be part of a message. */
	raw: Buffer;
	reading: Checked;
	record: WrittenRecord;
}

/** What a message like an earlier one needs on its way to the log. */
export class Shape {
	readonly payload: PayloadShape;
	readonly image: ReadingImage;
	readonly sensorId: string;
	readonly seriesId: string;
	readonly metric: string;
	readonly place: { buildingId: string; roomId: string; generation: string | undefined };
	/** How long its values count as current, in ms. */
	readonly freshFor: number;
	/** It was forgotten: nothing may be taken by it. */
	isVoid = false;
	/** About how much memory it takes. */
	readonly bytes: number;
	readonly #unit: string | undefined;
	readonly #min: number;
	readonly #max: number;

	constructor(payload: PayloadShape, image: ReadingImage, reading: Checked, freshFor: number) {
		const { incoming, definition, buildingId, roomId, generation } = reading;
		this.payload = payload;
		this.image = image;
		this.sensorId = incoming.sensorId;
		this.seriesId = reading.seriesId;
		this.metric = incoming.metric;
		this.place = { buildingId, roomId, generation };
		this.freshFor = freshFor;
		this.bytes = OBJECTS_BYTES + payload.bytes + 2 * image.record.bytes.length;
		this.#unit = incoming.unit;
		this.#min = definition.min;
		this.#max = definition.max;
	}

	/**
	 * Judges the numbers of a message that `payload` has just matched, and sets the dedup key of its record. Returns when
	 * it was observed, in epoch ms; undefined where the long way must judge.
	 */
	judge(raw: Buffer, receivedAt: number): number | undefined {
		const { payload } = this;
		const { value } = payload;
		if (value < this.#min || value > this.#max) return undefined;
		const observedAt = payload.hasTime ? payload.observedAt : receivedAt;
		if (observedAt > receivedAt + MAX_AHEAD_MS) return undefined;
		const { key } = this.image.record;
		if (key) {
			key.seq = payload.seq;
			key.hash = contentHash(value, this.#unit, this.#stated(raw), this.place);
		}
		return observedAt;
	}

	#stated(raw: Buffer): number | string | undefined {
		const { payload } = this;
		if (!payload.hasTime) return undefined;
		return payload.hasTimeText ? raw.toString('latin1', payload.timeStart, payload.timeEnd) : payload.stated;
	}
}

/** The shape of a reading that was stored; undefined where more than its numbers matters. */
export function shapeOf(
	{ raw, reading, record }: LearntReading,
	{ logId, freshFor }: { logId: string; freshFor: number },
): Shape | undefined {
	const { incoming, definition, value, observedAt, key } = reading;
	const isPlain =
		raw.length <= MAX_MESSAGE_BYTES &&
		// By names, sensors may get another id (see SensorNames).
		incoming.sensorName === undefined &&
		!reading.clipped &&
		reading.door === undefined &&
		reading.restated === undefined &&
		reading.deviceTime === undefined &&
		value === incoming.value &&
		(incoming.unit === undefined || incoming.unit === definition.unit);
	const payload = isPlain ? PayloadShape.of(raw, incoming.metric) : undefined;
	if (!payload || payload.value !== value || payload.hasSeq !== (incoming.seq !== undefined)) return undefined;
	if (payload.hasTime !== (incoming.observedAt !== undefined) || (payload.hasTime && payload.observedAt !== observedAt))
		return undefined;
	const { offset, receivedAt, json } = record;
	const image = ReadingImage.of(
		{ logId, offset, value, observedAt, receivedAt, seq: incoming.seq, json, key },
		payload,
		raw,
	);
	if (!image) return undefined;
	const shape = new Shape(payload, image, reading, freshFor);
	// What is computed from the bytes must be what was computed from the reading.
	if (shape.judge(raw, receivedAt) !== observedAt) return undefined;
	const own = image.record.key;
	return own?.seq === key?.seq && own?.hash === key?.hash ? shape : undefined;
}
