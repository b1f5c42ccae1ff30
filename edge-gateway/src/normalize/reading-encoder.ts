/** Writes canonical readings as JSON, the form in which the log holds them. */
import type { Adjustment, Interval, Reading, TimeQuality, Transport } from '@crowdvision/contracts';

/**
 * The content of a canonical reading, without its id. Only the texts that are marked as free need escaping; the
 * patterns of the others exclude what would.
 */
export interface EncodableReading {
	sensorId: string;
	/** Free text. */
	sensorName?: string | undefined;
	metric: string;
	value: number;
	unit: string;
	buildingId: string;
	roomId: string;
	observedAt: number;
	receivedAt: number;
	transport: Transport;
	timeQuality: TimeQuality;
	clipped?: boolean;
	/** How long the value counts as current, in ms. */
	freshFor: number;
	seq: number | undefined;
	/** Free text. */
	boot: string | undefined;
	/** Seconds. */
	uptime?: number | undefined;
	/** Free text, or a number. */
	deviceTime: string | number | undefined;
	/** Only for a count that is computed from doors. */
	counted?: CountedFields | undefined;
	/** See clock/eras.ts. */
	era: number | undefined;
	/** Name of the bridge it came by. */
	bridge?: string | undefined;
	/** Of its room. */
	generation?: string | undefined;
	/** The domain of its device, if the building is unknown. Free text. */
	senderDomain?: string | undefined;
}

/** How a count came about, and how far it may be off. */
export interface CountedFields {
	crossings?: Reading['crossings'];
	interval: Interval;
	adjustment?: Adjustment;
}

/** The parts of the JSON that stay the same from one reading of a sensor to the next. */
interface Parts {
	unit: string;
	buildingId: string;
	roomId: string;
	transport: Transport;
	freshFor: number;
	sensorName: string | undefined;
	head: string;
	boot: string | undefined;
	generation: string | undefined;
	senderDomain: string | undefined;
	tail: string;
}

const MAX_KEPT_PARTS = 20_000;

/**
 * Writes canonical readings as JSON. From parts that are kept between readings, and by hand: every reading passes here,
 * and `JSON.stringify` takes several times as long.
 */
export class ReadingEncoder {
	readonly #idPrefix: string;
	readonly #gateway: string;
	readonly #parts = new Map<string, Parts>();
	/** Dozens of readings share a millisecond, and formatting a number of thirteen digits is slow. */
	readonly #observedAt = new LastNumber();
	readonly #receivedAt = new LastNumber();

	constructor(logId: string, gatewayId: string) {
		this.#idPrefix = `{"id":"${logId}-`;
		this.#gateway = JSON.stringify(gatewayId);
	}

	/** The reading at `offset` of the log. Its id consists of log and offset, so it is the same in each delivery. */
	encode(reading: EncodableReading, offset: number): string {
		const { head, tail } = this.#partsOf(reading);
		const observedAt = this.#observedAt.format(reading.observedAt);
		const receivedAt = this.#receivedAt.format(reading.receivedAt);
		let json =
			`${this.#idPrefix}${offset}${head}${reading.value},"observedAt":${observedAt},"receivedAt":${receivedAt}` +
			`,"timeQuality":"${reading.timeQuality}"`;
		if (reading.clipped) json += ',"clipped":true';
		if (reading.seq !== undefined) json += `,"seq":${reading.seq}`;
		if (reading.uptime !== undefined) json += `,"uptime":${reading.uptime}`;
		if (reading.deviceTime !== undefined) json += `,"deviceTime":${JSON.stringify(reading.deviceTime)}`;
		if (reading.counted) json += countedJson(reading.counted);
		if (reading.era !== undefined) json += `,"era":${reading.era}`;
		if (reading.bridge !== undefined) json += `,"bridge":"${reading.bridge}"`;
		return json + tail;
	}

	#partsOf(reading: EncodableReading): Parts {
		const { sensorId, metric, unit, buildingId, roomId, transport, freshFor, boot } = reading;
		const { generation, senderDomain, sensorName } = reading;
		const key = `${sensorId} ${metric}`;
		const known = this.#parts.get(key);
		if (
			known &&
			known.buildingId === buildingId &&
			known.roomId === roomId &&
			known.transport === transport &&
			known.unit === unit &&
			known.freshFor === freshFor &&
			known.sensorName === sensorName &&
			known.boot === boot &&
			known.generation === generation &&
			known.senderDomain === senderDomain
		)
			return known;
		const head =
			`","sensorId":"${sensorId}"${sensorName === undefined ? '' : `,"sensorName":${JSON.stringify(sensorName)}`}` +
			`,"metric":"${metric}","unit":"${unit}"` +
			`,"buildingId":"${buildingId}","roomId":"${roomId}"` +
			`,"gatewayId":${this.#gateway},"transport":"${transport}","freshFor":${freshFor},"value":`;
		let tail = boot === undefined ? '' : `,"boot":${JSON.stringify(boot)}`;
		if (generation !== undefined) tail += `,"generation":"${generation}"`;
		if (senderDomain !== undefined) tail += `,"senderDomain":${JSON.stringify(senderDomain)}`;
		tail += '}';
		const kept = { unit, buildingId, roomId, transport, freshFor, boot, generation, senderDomain, sensorName };
		const parts = { ...kept, head, tail };
		if (this.#parts.size >= MAX_KEPT_PARTS) this.#parts.clear();
		this.#parts.set(key, parts);
		return parts;
	}
}

const BUILDING_ID = Buffer.from('"buildingId":"');
const QUOTE = '"'.charCodeAt(0);

/**
 * The building of the encoded reading that begins at `from`, without parsing the rest of it: a place id contains
 * nothing that is escaped. Faster if it is `likely`, the building of the reading before.
 */
export function buildingIdIn(readings: Buffer, from = 0, likely = ''): string {
	const start = readings.indexOf(BUILDING_ID, from) + BUILDING_ID.length;
	let same = 0;
	while (same < likely.length && readings[start + same] === likely.charCodeAt(same) && readings[start + same]! < 128)
		same++;
	if (same === likely.length && same > 0 && readings[start + same] === QUOTE) return likely;
	return readings.toString('utf8', start, readings.indexOf(QUOTE, start));
}

function countedJson({ crossings, interval, adjustment }: CountedFields): string {
	let json = '';
	if (crossings) {
		json += `,"crossings":{"in":${crossings.in},"out":${crossings.out}`;
		if (crossings.totalIn !== undefined) json += `,"totalIn":${crossings.totalIn}`;
		if (crossings.totalOut !== undefined) json += `,"totalOut":${crossings.totalOut}`;
		if (crossings.detected !== undefined) json += `,"detected":"${crossings.detected}"`;
		if (crossings.clamped !== undefined) json += `,"clamped":${crossings.clamped}`;
		json += '}';
	}
	json += `,"interval":{"low":${interval.low},"high":${interval.high}}`;
	return adjustment ? `${json},"adjustment":${JSON.stringify(adjustment)}` : json;
}

/** Formats numbers, and keeps the digits of the last one. */
class LastNumber {
	#number = Number.NaN;
	#digits = '';

	format(number: number): string {
		if (number !== this.#number) {
			this.#number = number;
			this.#digits = String(number);
		}
		return this.#digits;
	}
}
