import { DecodeError } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { frameCounter, lorawanReadings } from './lorawan.ts';
import { sensorIdFrom } from './sensor-id.ts';
import { candidatesOf, jsonObject, member, textMember, type VendorTable } from './vendor.ts';

const STATUS: VendorTable = { batteryLevel: { metric: 'battery' } };

/**
 * ChirpStack v4: `application/{id}/device/{devEui}/event/up`, decoded by the codec of its device profile, and
 * `…/event/status` with the battery. The DevEUI is the sensor: a device's name may be changed, and need not be the only
 * one.
 */
export function decodeChirpstack(message: Message): Decoding {
	const event = message.source.split('/').at(-1);
	if (event !== 'up' && event !== 'status') return 'not_telemetry';
	const body = jsonObject(message);
	const devEui = textMember(member(body, 'deviceInfo'), 'devEui');
	if (devEui === undefined) throw new DecodeError({ path: '/deviceInfo/devEui', message: 'is required' }, 0);
	const sensorId = sensorIdFrom(devEui);
	const time = textMember(body, 'time');
	const observedAt = time === undefined ? {} : { observedAt: time };
	if (event === 'up') {
		return orNoMetric(
			lorawanReadings(member(body, 'object'), sensorId, {
				...observedAt,
				...frameCounter(member(body, 'fCnt'), textMember(body, 'devAddr')),
			}),
		);
	}
	// Mains-powered, or not told: then the level means nothing.
	if (member(body, 'batteryLevelUnavailable') === true || member(body, 'externalPowerSource') === true)
		return 'no_metric';
	return orNoMetric(candidatesOf(body, STATUS, { sensorId, ...observedAt }));
}
