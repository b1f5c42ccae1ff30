/** The decoder of Shelly devices. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
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

/** The keys of a component's status, by component type. A `switch` also has a temperature, but its own. */
export const SHELLY: Readonly<Record<string, VendorTable>> = {
	temperature: { tC: { metric: 'temperature' }, tF: { metric: 'temperature', unit: 'degF' } },
	humidity: { rh: { metric: 'humidity' } },
	illuminance: { lux: { metric: 'illuminance' } },
	presencezone: { num_objects: { metric: 'peopleCount' } },
	devicepower: { percent: { metric: 'battery' } },
};
/** Of components whose status only a rule's `rename` can read. */
const NO_KEYS: VendorTable = {};
const COMPONENT = /^([a-z]+):(\d{1,5})$/;

/**
 * Decodes Shelly, second generation and later: `{prefix}/events/rpc` with NotifyStatus or NotifyFullStatus, and
 * `{prefix}/status/{component}` with the component's status. The sensor id is the device's own id, or the topic's
 * prefix on a status topic; components other than number 0 add `.{number}`.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeShelly(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const levels = message.source.split('/');
	const component = levels.at(-1)!;
	if (levels.at(-2) === 'status' && COMPONENT.test(component)) {
		return withUnknown(message, { [component]: jsonObject(message) }, levels.slice(0, -2).join('/'), {}, vocabulary);
	}
	if (levels.at(-2) !== 'events' || component !== 'rpc') return 'not_telemetry';
	const notification = jsonObject(message);
	const method = member(notification, 'method');
	const params = member(notification, 'params');
	if ((method !== 'NotifyStatus' && method !== 'NotifyFullStatus') || !isObject(params)) return 'not_telemetry';
	const device = textMember(notification, 'src') ?? levels.slice(0, -2).join('/');
	// Seconds since 1970 with a fraction.
	const ts = member(params, 'ts');
	const observedAt = typeof ts === 'number' ? { observedAt: Math.round(ts * 1000) } : {};
	return withUnknown(message, params, device, observedAt, vocabulary);
}

/** The readings of all components, whose keys that look like measures and are not read the message tells of. */
function withUnknown(
	message: Message,
	components: JsonObject,
	device: string,
	shared: Candidate,
	vocabulary: Vocabulary,
): Decoding {
	const entries = Object.entries(components);
	const readings = entries.flatMap(([key, status]) => readingsOf(key, status, device, shared, vocabulary));
	const unknown = entries.flatMap(([component, status]) => {
		const part = componentOf(component, status, vocabulary);
		if (!part) return [];
		return unknownFields(part.values, { isKnown: (key) => Object.hasOwn(part.table, key) });
	});
	noteUnknown(message, unknown, readings.length > 0);
	return orNoMetric(readings);
}

function readingsOf(
	key: string,
	status: unknown,
	device: string,
	shared: Candidate,
	vocabulary: Vocabulary,
): Decoded[] {
	const component = componentOf(key, status, vocabulary);
	if (!component) return [];
	const { number, table, values } = component;
	const sensorId = sensorIdFrom(device, number === '0' ? undefined : number);
	return candidatesOf(values, table, { sensorId, ...shared });
}

/** The number of a component, its values and the keys that are read of them; undefined for what is no component. */
function componentOf(key: string, status: unknown, vocabulary: Vocabulary) {
	const [, type, number] = COMPONENT.exec(key) ?? [];
	if (type === undefined) return undefined;
	const table = vocabulary.table(Object.hasOwn(SHELLY, type) ? SHELLY[type]! : NO_KEYS);
	return { number, table, values: type === 'devicepower' ? member(status, 'battery') : status };
}
