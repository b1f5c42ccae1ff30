/** The decoder of CayenneLPP bytes. */
import { readCayenneLpp } from '../lorawan/cayenne-lpp.ts';
import { lorawanReadings } from '../lorawan/payload.ts';
import { uplinkOf } from '../lorawan/uplink.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/**
 * Decodes CayenneLPP bytes: the message itself, or the bytes of an uplink of The Things Stack or ChirpStack. Each
 * channel is a sensor `{device}.{channel}`.
 * @throws DecodeError
 */
export function decodeCayenneLpp(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const uplink = uplinkOf(message);
	if (!uplink) return 'not_telemetry';
	return orNoMetric(lorawanReadings(readCayenneLpp(uplink.bytes), uplink.sensorId, uplink.shared, vocabulary));
}
