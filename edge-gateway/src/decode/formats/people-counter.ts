/** The decoder of what people counters push. */
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { isMilesightPush, readMilesightPush } from '../people-counters/milesight-push.ts';
import type { ReadPush } from '../people-counters/read-push.ts';
import { isVivotek, readVivotek } from '../people-counters/vivotek.ts';
import { isXovis, readXovis } from '../people-counters/xovis.ts';
import { noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
import { type JsonObject, jsonObject } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';

/** The makers whose push is known, recognized by its shape. */
const MAKERS: readonly { is(body: JsonObject): boolean; read(body: JsonObject, vocabulary: Vocabulary): ReadPush }[] = [
	{ is: isXovis, read: readXovis },
	{ is: isMilesightPush, read: readMilesightPush },
	{ is: isVivotek, read: readVivotek },
];

/**
 * Decodes what people counters push over HTTP or MQTT: Xovis, Milesight VS125, VS133-P, VS135 and VS121-P, Vivotek.
 * Running totals and messages of other kinds (status, live positions) hold no readings. What looks like a count and is
 * not read is told, also in a push of another shape.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodePeopleCounter(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const body = jsonObject(message);
	const maker = MAKERS.find(({ is }) => is(body));
	const { readings, unknown } = maker?.read(body, vocabulary) ?? {
		readings: [],
		unknown: unknownFields(body, { isKnown: () => false, nested: true }),
	};
	noteUnknown(message, unknown, readings.length > 0);
	return orNoMetric(readings);
}
