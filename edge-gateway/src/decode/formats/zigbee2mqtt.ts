/** The decoder of Zigbee2MQTT. */
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
import { candidatesOf, deviceName, jsonObject, member, type VendorTable } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/**
 * Keys of a device's state, as its `exposes` name them. Left out: `linkquality` (radio), `occupancy` and `presence`
 * (whether somebody is there, not how many), `voc` (µg/m³, ppb or ppm by device; the message does not say which),
 * `eco2` (calculated from VOC, not measured).
 */
export const ZIGBEE2MQTT: VendorTable = {
	temperature: { metric: 'temperature' },
	humidity: { metric: 'humidity' },
	pressure: { metric: 'pressure' },
	illuminance_lux: { metric: 'illuminance' },
	illuminance: { metric: 'illuminance' },
	co2: { metric: 'co2' },
	pm25: { metric: 'pm25' },
	pm10: { metric: 'pm10' },
	noise: { metric: 'noise' },
	battery: { metric: 'battery' },
};

const NOT_A_DEVICE = /(^|\/)(bridge|availability|set|get)(\/|$)/;

/**
 * Decodes Zigbee2MQTT: `{base}/{friendly name}` with the device's state. The friendly name is the sensor id.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeZigbee2mqtt(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	if (NOT_A_DEVICE.test(message.name ?? message.source)) return 'not_telemetry';
	const state = jsonObject(message);
	// With `advanced.last_seen` configured: when the device was last heard, in epoch ms or as ISO 8601.
	const lastSeen = member(state, 'last_seen');
	const observedAt =
		typeof lastSeen === 'number' || (typeof lastSeen === 'string' && lastSeen !== '') ? { observedAt: lastSeen } : {};
	const table = vocabulary.table(ZIGBEE2MQTT);
	const readings = candidatesOf(state, table, { sensorId: deviceName(message), ...observedAt });
	noteUnknown(message, unknownFields(state, { isKnown: (key) => Object.hasOwn(table, key) }), readings.length > 0);
	return orNoMetric(readings);
}
