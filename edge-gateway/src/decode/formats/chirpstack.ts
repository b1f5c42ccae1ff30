import { frameCounter, lorawanReadings } from '../lorawan/payload.ts';
import { unknownInUplink } from '../lorawan/unknown.ts';
import { DecodeError } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { noteUnknown } from '../vendor/unknown-fields.ts';
import { candidatesOf, jsonObject, member, textMember, type VendorTable } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

const STATUS: VendorTable = { batteryLevel: { metric: 'battery' } };

/**
 * Decodes ChirpStack v4: `application/{id}/device/{devEui}/event/up`, or its HTTP integration (`?event=up`), with the
 * object that the codec of the device profile decoded, and `…/event/status` with the battery. The DevEUI is the sensor
 * id, as a device's name may change and need not be unique.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeChirpstack(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const event = eventOf(message.source);
	if (event !== 'up' && event !== 'status') return 'not_telemetry';
	const body = jsonObject(message);
	const devEui = textMember(member(body, 'deviceInfo'), 'devEui');
	if (devEui === undefined) throw new DecodeError({ path: '/deviceInfo/devEui', message: 'is required' }, 0);
	const sensorId = sensorIdFrom(devEui);
	const time = textMember(body, 'time');
	const observedAt = time === undefined ? {} : { observedAt: time };
	if (event === 'up') {
		const readings = lorawanReadings(
			member(body, 'object'),
			sensorId,
			{ ...observedAt, ...frameCounter(member(body, 'fCnt'), textMember(body, 'devAddr')) },
			vocabulary,
		);
		noteUnknown(message, unknownInUplink(body, 'object', 'data', vocabulary), readings.length > 0);
		return orNoMetric(readings);
	}
	// The level means nothing if the device is mains-powered or does not report it.
	if (member(body, 'batteryLevelUnavailable') === true || member(body, 'externalPowerSource') === true)
		return 'no_metric';
	return orNoMetric(candidatesOf(body, STATUS, { sensorId, ...observedAt }));
}

function eventOf(source: string): string | undefined {
	const [, event] = /\?event=(\w+)$/.exec(source) ?? [];
	return event ?? source.split('/').at(-1);
}
