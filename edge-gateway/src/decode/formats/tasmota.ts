/** The decoder of Tasmota devices. */
import type { Decoded } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import type { UnknownField } from '../message/unknown-field.ts';
import { rememberFormer, sensorIdFrom } from '../vendor/sensor-id.ts';
import { noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
import {
	candidatesOf,
	isObject,
	type JsonObject,
	jsonObject,
	textMember,
	type VendorTable,
} from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/**
 * Members of a sensor in SENSOR telemetry. Left out as calculated rather than measured: `eCO2` (from VOC), `DewPoint`
 * and `SeaPressure`.
 */
const TASMOTA: VendorTable = {
	Temperature: { metric: 'temperature' },
	Humidity: { metric: 'humidity' },
	Pressure: { metric: 'pressure' },
	Illuminance: { metric: 'illuminance' },
	CarbonDioxide: { metric: 'co2' },
	'PM2.5': { metric: 'pm25' },
	PM10: { metric: 'pm10' },
	TVOC: { metric: 'voc' },
};

/** Members of a device that Tasmota reports as a Zigbee gateway, beside those of `TASMOTA`. */
export const TASMOTA_ZIGBEE: VendorTable = { ...TASMOTA, BatteryPercentage: { metric: 'battery' } };

/** Of the device itself, whose members only a rule's `rename` can read. */
const NO_KEYS: VendorTable = {};

/** hPa per unit, for the values of `PressureUnit` other than hPa. */
const PRESSURE_UNITS: Readonly<Record<string, number>> = { mmHg: 1.333224, inHg: 33.86389 };
/** Chips whose temperature is their own, not the room's: the processor, power management, motion sensors. */
const CHIP = /^(ESP(32|8266)|AXP\d|MPU\d|CPU)/i;
/** Members of the telemetry that say how the others are to be read. */
const TELEMETRY = new Set(['Time', 'TempUnit', 'PressureUnit', 'SpeedUnit']);
const ZONED = /(Z|[+-]\d\d:\d\d)$/;
/** Members by which a probe says which one it is: DS18B20, and what reads it over other buses. */
const PROBE_IDS = ['Id', 'Address', 'Serial', 'MAC', 'mac'];
/** The number at the end of a key, by which Tasmota tells probes of one kind apart: `DS18B20-2`. */
const POSITION = /-\d+$/;

/**
 * Decodes Tasmota: `tele/{topic}/SENSOR` with `{"Time":…,"AM2301":{"Temperature":…},"TempUnit":"C"}`. Each sensor of
 * the device gets the id `{topic}.{key}`, so that one that is plugged in later does not rename the first. A probe that
 * says its `Id` is `{topic}.{kind}.{Id}`: its position changes when another fails. As a Zigbee gateway Tasmota says
 * `{"ZbReceived":{"0x531D":{"Device":"0x531D","Temperature":…}}}`; then the sensor is `{topic}.{Device}`, shown by its
 * `Name`.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeTasmota(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const levels = message.source.split('/');
	if (levels.at(-1) !== 'SENSOR') return 'not_telemetry';
	const telemetry = jsonObject(message);
	const device = message.name?.replace(/(^|\/)SENSOR$/, '') || levels.slice(-2, -1)[0];
	const time = textMember(telemetry, 'Time');
	// Without an offset the time is the device's local time, whose zone the message does not name; the rule may.
	const isTime = time !== undefined && (message.timeZone !== undefined || ZONED.test(time));
	const observedAt = isTime ? { observedAt: time } : {};
	const unknown: UnknownField[] = [];
	const read = (sensor: JsonObject, builtIn: VendorTable, id: string) => {
		const table = vocabulary.table(builtIn);
		unknown.push(...unknownFields(sensor, { isKnown: (key) => Object.hasOwn(table, key), nested: true }));
		return candidatesOf(sensor, table, { sensorId: id, ...observedAt }).map((decoded) => withUnit(decoded, telemetry));
	};
	const zigbeeReadings = (sensor: JsonObject, address: string) => {
		const id = sensorIdFrom(device, textMember(sensor, 'Device') ?? address);
		const sensorName = textMember(sensor, 'Name');
		return read(sensor, TASMOTA_ZIGBEE, id).map(({ candidate, ...more }) => ({
			...more,
			candidate: sensorName === undefined ? candidate : { ...candidate, sensorName },
		}));
	};
	const readings = Object.entries(telemetry).flatMap(([key, sensor]) => {
		if (!isObject(sensor) || CHIP.test(key)) return [];
		if (key !== 'ZbReceived') return read(sensor, TASMOTA, probeIdOf(device, key, sensor));
		return Object.entries(sensor).flatMap(([name, zigbee]) => (isObject(zigbee) ? zigbeeReadings(zigbee, name) : []));
	});
	// Switches and inputs of the device itself, such as `"Switch1":"ON"`.
	const own = Object.entries(telemetry).filter(([key, value]) => !TELEMETRY.has(key) && !isObject(value));
	if (own.length > 0) readings.push(...read(Object.fromEntries(own), NO_KEYS, sensorIdFrom(device)));
	noteUnknown(message, unknown, readings.length > 0);
	return orNoMetric(readings);
}

/**
 * The id of a sensor within its device: by its key, or by its kind and the probe's own id. A probe that was known by
 * its key before keeps that id.
 */
function probeIdOf(device: string | undefined, key: string, sensor: JsonObject): string {
	const byKey = sensorIdFrom(device, key);
	const probe = PROBE_IDS.map((name) => textMember(sensor, name)).find((id) => id !== undefined);
	if (probe === undefined) return byKey;
	const id = sensorIdFrom(device, key.replace(POSITION, ''), probe);
	rememberFormer(id, byKey);
	return id;
}

/** Applies the message's units of temperature and pressure to a reading. */
function withUnit(decoded: Decoded, telemetry: object): Decoded {
	const { candidate } = decoded;
	if (typeof candidate.value !== 'number' || candidate.unit !== undefined) return decoded;
	if (candidate.metric === 'temperature') candidate.unit = textMember(telemetry, 'TempUnit') ?? 'C';
	if (candidate.metric !== 'pressure') return decoded;
	const unit = textMember(telemetry, 'PressureUnit') ?? 'hPa';
	if (Object.hasOwn(PRESSURE_UNITS, unit)) candidate.value *= PRESSURE_UNITS[unit]!;
	else candidate.unit = unit;
	return decoded;
}
