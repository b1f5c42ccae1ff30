/** The decoder of uplinks from The Things Stack (LoRaWAN). */
import { frameCounter, lorawanReadings } from '../lorawan/payload.ts';
import { unknownInUplink } from '../lorawan/unknown.ts';
import type { Candidate, Decoded } from '../message/candidate.ts';
import { DecodeError } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { noteUnknown } from '../vendor/unknown-fields.ts';
import {
	candidatesOf,
	isObject,
	type JsonObject,
	jsonObject,
	member,
	textMember,
	type VendorTable,
} from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/** Keys of `air` in a normalized measurement (schema of the LoRaWAN device repository). */
export const NORMALIZED_AIR: VendorTable = {
	temperature: { metric: 'temperature' },
	relativeHumidity: { metric: 'humidity' },
	pressure: { metric: 'pressure' },
	co2: { metric: 'co2' },
	lightIntensity: { metric: 'illuminance' },
};
const BATTERY: VendorTable = { value: { metric: 'battery' } };

/**
 * Decodes The Things Stack v3: `v3/{application}@{tenant}/devices/{device}/up` with an uplink that a payload formatter
 * has decoded. The device id is the sensor id. A normalized payload comes before the decoded one, as its keys and units
 * are the same for every vendor; of the decoded one the metrics that are not in it are read.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeTheThingsStack(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const up = jsonObject(message);
	const uplink = member(up, 'uplink_message');
	if (!isObject(uplink)) return 'not_telemetry';
	const device = textMember(member(up, 'end_device_ids'), 'device_id');
	if (device === undefined) throw new DecodeError({ path: '/end_device_ids/device_id', message: 'is required' }, 0);
	const sensorId = sensorIdFrom(device);
	// The network server's time of receipt is closer to the measurement than the application server's.
	const time = textMember(uplink, 'received_at') ?? textMember(up, 'received_at');
	const shared: Candidate = {
		...(time !== undefined && { observedAt: time }),
		...frameCounter(member(uplink, 'f_cnt'), textMember(uplink, 'session_key_id')),
	};
	const normalized = member(uplink, 'normalized_payload');
	const air = vocabulary.table(NORMALIZED_AIR);
	const fromPayload = Array.isArray(normalized) ? normalizedReadings(normalized, sensorId, shared, air) : [];
	const isNormalized = new Set(fromPayload.map(({ candidate }) => candidate.metric));
	const readings = [
		...fromPayload,
		...lorawanReadings(member(uplink, 'decoded_payload'), sensorId, shared, vocabulary).filter(
			({ candidate }) => !isNormalized.has(candidate.metric),
		),
	];
	message.warnings?.push(...warningsOf(uplink));
	if (fromPayload.length === 0)
		noteUnknown(message, unknownInUplink(uplink, 'decoded_payload', 'frm_payload', vocabulary), readings.length > 0);
	return orNoMetric([
		...readings,
		...candidatesOf(member(uplink, 'last_battery_percentage'), BATTERY, { sensorId, ...batteryTime(uplink) }),
	]);
}

const MAX_WARNINGS = 20;
const MAX_WARNING_CHARS = 200;

/** What the payload formatter of the network server warned of. */
function warningsOf(uplink: JsonObject): string[] {
	return ['decoded_payload_warnings', 'normalized_payload_warnings']
		.flatMap((key) => member(uplink, key))
		.filter((one): one is string => typeof one === 'string' && one !== '')
		.slice(0, MAX_WARNINGS)
		.map((one) => one.slice(0, MAX_WARNING_CHARS));
}

/** Several measurements of one uplink share its frame counter, which then cannot identify them and is left out. */
function normalizedReadings(
	measurements: unknown[],
	sensorId: string,
	{ seq, boot, ...shared }: Candidate,
	air: VendorTable,
): Decoded[] {
	const counter = measurements.length === 1 && seq !== undefined ? { seq, boot } : {};
	return measurements.flatMap((measurement) => {
		const time = textMember(measurement, 'time');
		return candidatesOf(member(measurement, 'air'), air, {
			sensorId,
			...shared,
			...counter,
			...(time !== undefined && { observedAt: time }),
		});
	});
}

/**
 * The time and frame counter of the battery reading. Every later uplink repeats that reading; its own frame counter
 * makes the repetition a duplicate.
 */
function batteryTime(uplink: unknown): Candidate {
	const battery = member(uplink, 'last_battery_percentage');
	const time = textMember(battery, 'received_at');
	return {
		...(time !== undefined && { observedAt: time }),
		...frameCounter(member(battery, 'f_cnt'), textMember(uplink, 'session_key_id')),
	};
}
