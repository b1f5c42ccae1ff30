/** The decoder of CayenneLPP bytes. */
import { readCayenneLpp } from '../lorawan/cayenne-lpp.ts';
import { lorawanReadings } from '../lorawan/payload.ts';
import { unknownInPayload } from '../lorawan/unknown.ts';
import { uplinkOf } from '../lorawan/uplink.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { noteUnknown } from '../vendor/unknown-fields.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/**
 * Decodes CayenneLPP bytes: the message itself, or the bytes of an uplink of The Things Stack or ChirpStack. Each
 * channel is a sensor `{device}.{channel}`.
 * @throws DecodeError
 */
export function decodeCayenneLpp(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const uplink = uplinkOf(message);
	if (!uplink) return 'not_telemetry';
	const payload = readCayenneLpp(uplink.bytes);
	const readings = lorawanReadings(payload, uplink.sensorId, uplink.shared, vocabulary);
	noteUnknown(message, unknownInPayload(payload, vocabulary), readings.length > 0);
	return orNoMetric(readings);
}
