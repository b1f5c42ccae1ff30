/** The readings in payloads of LoRaWAN devices that a codec has decoded, and their frame counters. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { candidatesOf, isObject, type JsonObject, type VendorTable } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';
import { CAYENNE_LPP, cayenneReadings } from './cayenne-lpp.ts';
import { DECENTLAB } from './decentlab.ts';
import { historyOf, MILESIGHT, ownTime, partReadings, withoutInterim } from './milesight.ts';

/**
 * Keys of decoded payloads, as the codecs of the vendors named here spell them; people counters and CayenneLPP are in
 * tables of their own. Left out: `battery` (percent with one vendor, volts with another; the network server reports its
 * own), `tvoc` (an index or µg/m³, by device), `motion`, `pir`, `occupancy` (they say whether somebody is there, not
 * how many), and running totals (`line_1_total_in`, `total_in`), which are not crossings since the last message.
 */
export const LORAWAN: VendorTable = {
	temperature: { metric: 'temperature' },
	humidity: { metric: 'humidity' },
	co2: { metric: 'co2' },
	pressure: { metric: 'pressure' },
	pm2_5: { metric: 'pm25' },
	pm10: { metric: 'pm10' },
	illuminance: { metric: 'illuminance' },
	// Milesight AM and EM
	illumination: { metric: 'illuminance' },
	// Elsys ERS
	light: { metric: 'illuminance' },
	soundAvg: { metric: 'noise' },
	// Dragino LHT65
	TempC_SHT: { metric: 'temperature' },
	Hum_SHT: { metric: 'humidity' },
	...MILESIGHT,
	...DECENTLAB,
};

/**
 * The readings in a payload that a codec has decoded, each with the members of `shared`, which hold the time and the
 * frame counter of the uplink. What the device stored and sends later has its own time, and so has a payload that names
 * one.
 */
export function lorawanReadings(
	payload: unknown,
	sensorId: string | undefined,
	shared: Candidate,
	vocabulary: Vocabulary = BUILT_IN,
): Decoded[] {
	if (!isObject(payload)) return [];
	return [
		...payloadReadings(payload, sensorId, { ...shared, ...ownTime(payload) }, vocabulary),
		...historyOf(payload).flatMap(({ entry, shared: own }) => payloadReadings(entry, sensorId, own, vocabulary)),
	];
}

function payloadReadings(
	payload: JsonObject,
	sensorId: string | undefined,
	shared: Candidate,
	vocabulary: Vocabulary,
): Decoded[] {
	const counted = withoutInterim(payload);
	const table = vocabulary.table(LORAWAN);
	return [
		...candidatesOf(counted, table, { sensorId, ...shared }),
		...partReadings(counted, sensorId, shared),
		...cayenneReadings(counted, vocabulary.table(CAYENNE_LPP), sensorId, shared),
	];
}

/**
 * `seq` and `boot` from the frame counter and the LoRaWAN session, by which a redelivered uplink is recognized; the
 * counter starts at 0 with each session. Both network servers leave a 0 out of their JSON.
 */
export function frameCounter(counter: unknown, session: string | undefined): Candidate {
	const seq = counter ?? 0;
	return typeof seq === 'number' && session !== undefined ? { seq, boot: session.slice(0, 64) } : {};
}
