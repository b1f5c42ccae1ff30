/** The decoder of what people counters push. */
import type { Decoded } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { isMilesightPush, milesightPushReadings } from '../people-counters/milesight-push.ts';
import { isVivotek, vivotekReadings } from '../people-counters/vivotek.ts';
import { isXovis, xovisReadings } from '../people-counters/xovis.ts';
import { type JsonObject, jsonObject } from '../vendor/vendor-table.ts';

/** The makers whose push is known, recognized by its shape. */
const MAKERS: readonly { is(body: JsonObject): boolean; read(body: JsonObject): Decoded[] }[] = [
	{ is: isXovis, read: xovisReadings },
	{ is: isMilesightPush, read: milesightPushReadings },
	{ is: isVivotek, read: vivotekReadings },
];

/**
 * Decodes what people counters push over HTTP or MQTT: Xovis, Milesight VS125, VS133-P, VS135 and VS121-P, Vivotek.
 * Running totals and messages of other kinds (status, live positions) hold no readings.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodePeopleCounter(message: Message): Decoding {
	const body = jsonObject(message);
	const maker = MAKERS.find(({ is }) => is(body));
	return orNoMetric(maker ? maker.read(body) : []);
}
