/** The decoder of Tasmota devices. */
import type { Decoded } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { sensorIdFrom } from './sensor-id.ts';
import { candidatesOf, isObject, jsonObject, textMember, type VendorTable } from './vendor.ts';

/**
 * Members of a sensor in SENSOR telemetry. Left out as calculated rather than measured: `eCO2` (from VOC), `DewPoint`
 * and `SeaPressure`.
 */
export const TASMOTA: VendorTable = {
	Temperature: { metric: 'temperature' },
	Humidity: { metric: 'humidity' },
	Pressure: { metric: 'pressure' },
	Illuminance: { metric: 'illuminance' },
	CarbonDioxide: { metric: 'co2' },
	'PM2.5': { metric: 'pm25' },
	PM10: { metric: 'pm10' },
	TVOC: { metric: 'voc' },
};

/** hPa per unit, for the values of `PressureUnit` other than hPa. */
const PRESSURE_UNITS: Readonly<Record<string, number>> = { mmHg: 1.333224, inHg: 33.86389 };
/** The chip's own temperature, not that of the room. */
const CHIP = /^ESP(32|8266)/;
const ZONED = /(Z|[+-]\d\d:\d\d)$/;

/**
 * Decodes Tasmota: `tele/{topic}/SENSOR` with `{"Time":…,"AM2301":{"Temperature":…},"TempUnit":"C"}`. Each sensor of
 * the device gets the id `{topic}.{key}`, so that one that is plugged in later does not rename the first.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeTasmota(message: Message): Decoding {
	const levels = message.source.split('/');
	if (levels.at(-1) !== 'SENSOR') return 'not_telemetry';
	const telemetry = jsonObject(message);
	const device = message.name?.replace(/(^|\/)SENSOR$/, '') || levels.slice(-2, -1)[0];
	const time = textMember(telemetry, 'Time');
	const readings = Object.entries(telemetry).flatMap(([key, sensor]) => {
		if (!isObject(sensor) || CHIP.test(key)) return [];
		// Without an offset the time is the device's local time, whose zone the message does not name.
		const shared = { sensorId: sensorIdFrom(device, key), ...(time && ZONED.test(time) && { observedAt: time }) };
		return candidatesOf(sensor, TASMOTA, shared).map((decoded) => withUnit(decoded, telemetry));
	});
	return orNoMetric(readings);
}

/** Applies the message's units of temperature and pressure to a reading. */
function withUnit(decoded: Decoded, telemetry: object): Decoded {
	const { candidate } = decoded;
	if (candidate.metric === 'temperature') candidate.unit = textMember(telemetry, 'TempUnit') ?? 'C';
	if (candidate.metric !== 'pressure') return decoded;
	const unit = textMember(telemetry, 'PressureUnit') ?? 'hPa';
	if (Object.hasOwn(PRESSURE_UNITS, unit)) candidate.value = (candidate.value as number) * PRESSURE_UNITS[unit]!;
	else candidate.unit = unit;
	return decoded;
}
