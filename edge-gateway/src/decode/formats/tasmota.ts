import type { Decoded } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { sensorIdFrom } from './sensor-id.ts';
import { candidatesOf, isObject, jsonObject, textMember, type VendorTable } from './vendor.ts';

/**
 * Members of a sensor in SENSOR telemetry. Not here: `eCO2` (reckoned from VOC, not measured), `DewPoint`,
 * `SeaPressure` (reckoned).
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

/** hPa of what `PressureUnit` may say beside hPa. */
const PRESSURE_UNITS: Readonly<Record<string, number>> = { mmHg: 1.333224, inHg: 33.86389 };
/** The chip's own temperature, which says nothing about the room. */
const OF_THE_CHIP = /^ESP(32|8266)/;
const ZONED = /(Z|[+-]\d\d:\d\d)$/;

/**
 * Tasmota: `tele/{topic}/SENSOR` with `{"Time":…,"AM2301":{"Temperature":…},"TempUnit":"C"}`. Each sensor of the device
 * is one of its own, named
 * `{topic}.{its key}`, so that a second one plugged in later does not rename the first.
 */
export function decodeTasmota(message: Message): Decoding {
	const levels = message.source.split('/');
	if (levels.at(-1) !== 'SENSOR') return 'not_telemetry';
	const telemetry = jsonObject(message);
	const device = message.name?.replace(/(^|\/)SENSOR$/, '') || levels.slice(-2, -1)[0];
	const time = textMember(telemetry, 'Time');
	const readings = Object.entries(telemetry).flatMap(([key, sensor]) => {
		if (!isObject(sensor) || OF_THE_CHIP.test(key)) return [];
		// Without an offset it is the device's local time, and nobody says which that is.
		const shared = { sensorId: sensorIdFrom(device, key), ...(time && ZONED.test(time) && { observedAt: time }) };
		return candidatesOf(sensor, TASMOTA, shared).map((decoded) => inItsUnit(decoded, telemetry));
	});
	return orNoMetric(readings);
}

/** With the unit that the message says its temperatures and pressures are in. */
function inItsUnit(decoded: Decoded, telemetry: object): Decoded {
	const { candidate } = decoded;
	if (candidate.metric === 'temperature') candidate.unit = textMember(telemetry, 'TempUnit') ?? 'C';
	if (candidate.metric !== 'pressure') return decoded;
	const unit = textMember(telemetry, 'PressureUnit') ?? 'hPa';
	if (Object.hasOwn(PRESSURE_UNITS, unit)) candidate.value = (candidate.value as number) * PRESSURE_UNITS[unit]!;
	else candidate.unit = unit;
	return decoded;
}
