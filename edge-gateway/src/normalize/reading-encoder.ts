import type { Adjustment, Interval, MetricKey, Reading, TimeQuality, Transport } from '@crowdvision/contracts';

/**
 * Everything a canonical reading is made of but its id. Texts that are not named here as free need no escaping: their
 * patterns see to it.
 */
export interface EncodableReading {
	sensorId: string;
	metric: MetricKey;
	value: number;
	unit: string;
	buildingId: string;
	roomId: string;
	observedAt: number;
	receivedAt: number;
	transport: Transport;
	timeQuality: TimeQuality;
	seq: number | undefined;
	/** Free text. */
	boot: string | undefined;
	/** Free text, or a number. */
	deviceTime: string | number | undefined;
	/** Only of a count that is made of what doors say. */
	counted?: CountedFields | undefined;
	/** See clock/eras.ts. */
	era: number | undefined;
	/** Name of the bridge it came by. */
	bridge?: string | undefined;
}

/** Why a count is what it is, and how far it may be off. */
export interface CountedFields {
	crossings?: Reading['crossings'];
	interval: Interval;
	adjustment?: Adjustment;
}

/** What stays the same from one reading of a sensor to the next, spelled once. */
interface Spelled {
	unit: string;
	buildingId: string;
	roomId: string;
	transport: Transport;
	head: string;
	boot: string | undefined;
	tail: string;
}

const MOST_SPELLED = 20_000;

/**
 * Spells canonical readings as JSON. By hand and from parts that are kept, because every reading passes here:
 * `JSON.stringify` of the whole takes several times as long.
 */
export class ReadingEncoder {
	readonly #idPrefix: string;
	readonly #gateway: string;
	readonly #spelled = new Map<string, Spelled>();
	/** Times come by the dozen in the same millisecond, and spelling a number of thirteen digits is slow. */
	readonly #observedAt = new LastNumber();
	readonly #receivedAt = new LastNumber();

	constructor(logId: string, gatewayId: string) {
		this.#idPrefix = `{"id":"${logId}-`;
		this.#gateway = JSON.stringify(gatewayId);
	}

	/** The reading at `offset` of the log; its id is made of both and so the same however often it is delivered. */
	encode(reading: EncodableReading, offset: number): string {
		const { head, tail } = this.#partsOf(reading);
		const times = `,"observedAt":${this.#observedAt.spell(reading.observedAt)},"receivedAt":${this.#receivedAt.spell(reading.receivedAt)}`;
		let json = `${this.#idPrefix}${offset}${head}${reading.value}${times},"timeQuality":"${reading.timeQuality}"`;
		if (reading.seq !== undefined) json += `,"seq":${reading.seq}`;
		if (reading.deviceTime !== undefined) json += `,"deviceTime":${JSON.stringify(reading.deviceTime)}`;
		if (reading.counted) json += spellCounted(reading.counted);
		if (reading.era !== undefined) json += `,"era":${reading.era}`;
		if (reading.bridge !== undefined) json += `,"bridge":"${reading.bridge}"`;
		return json + tail;
	}

	#partsOf(reading: EncodableReading): Spelled {
		const { sensorId, metric, unit, buildingId, roomId, transport, boot } = reading;
		const key = `${sensorId} ${metric}`;
		const known = this.#spelled.get(key);
		if (
			known &&
			known.buildingId === buildingId &&
			known.roomId === roomId &&
			known.transport === transport &&
			known.unit === unit &&
			known.boot === boot
		)
			return known;
		const head =
			`","sensorId":"${sensorId}","metric":"${metric}","unit":"${unit}","buildingId":"${buildingId}","roomId":"${roomId}"` +
			`,"gatewayId":${this.#gateway},"transport":"${transport}","value":`;
		const tail = boot === undefined ? '}' : `,"boot":${JSON.stringify(boot)}}`;
		const spelled = { unit, buildingId, roomId, transport, boot, head, tail };
		if (this.#spelled.size >= MOST_SPELLED) this.#spelled.clear();
		this.#spelled.set(key, spelled);
		return spelled;
	}
}

const BUILDING_ID = Buffer.from('"buildingId":"');
const QUOTE = '"'.charCodeAt(0);

/** The building of an encoded reading, without parsing the rest of it: a place id contains nothing that is escaped. */
export function buildingIdIn(payload: Buffer): string {
	const start = payload.indexOf(BUILDING_ID) + BUILDING_ID.length;
	return payload.toString('utf8', start, payload.indexOf(QUOTE, start));
}

function spellCounted({ crossings, interval, adjustment }: CountedFields): string {
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

class LastNumber {
	#number = Number.NaN;
	#digits = '';

	spell(number: number): string {
		if (number !== this.#number) {
			this.#number = number;
			this.#digits = String(number);
		}
		return this.#digits;
	}
}
