/** What the decoders of LoRaWAN network servers share: keys of decoded payloads, and frame counters. */
import type { MetricKey } from '@crowdvision/contracts';
import type { Candidate, Decoded } from '../message/candidate.ts';
import { sensorIdOf } from './sensor-id.ts';
import { candidatesOf, isObject, type VendorTable } from './vendor.ts';

/**
 * Keys of decoded payloads, as the codecs of the vendors named here spell them. Left out: `battery` (percent with one
 * vendor, volts with another; the network server reports its own), `tvoc` (an index or µg/m³, by device), `motion`,
 * `pir`, `occupancy` (they say whether somebody is there, not how many), and running totals (`line_1_total_in`), which
 * are not crossings since the last message.
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
	// Milesight VS121, VS132
	people_counter_all: { metric: 'peopleCount' },
	periodic_counter_in: { metric: 'peopleIn' },
	periodic_counter_out: { metric: 'peopleOut' },
};

/** Milesight VS13x: a device counts at several lines and regions. Each of them is a sensor of its own. */
const PARTS: readonly [RegExp, Readonly<Record<string, MetricKey>>][] = [
	[/^(line_\d{1,2})_period_(in|out)$/, { in: 'peopleIn', out: 'peopleOut' }],
	[/^(region_\d{1,2})_(count)$/, { count: 'peopleCount' }],
];

/** The readings in a payload that the network server has decoded, each with the members of `shared`. */
export function lorawanReadings(payload: unknown, sensorId: string, shared: Candidate): Decoded[] {
	const readings = candidatesOf(payload, LORAWAN, { sensorId, ...shared });
	if (!isObject(payload)) return readings;
	for (const [key, value] of Object.entries(payload)) {
		if (typeof value !== 'number') continue;
		for (const [pattern, metrics] of PARTS) {
			const [, part, kind] = pattern.exec(key) ?? [];
			if (part === undefined) continue;
			readings.push({
				candidate: { sensorId: sensorIdOf(`${sensorId}.${part}`), ...shared, metric: metrics[kind!], value },
				index: 0,
			});
		}
	}
	return readings;
}

/**
 * `seq` and `boot` from the frame counter and the LoRaWAN session, by which a redelivered uplink is recognized; the
 * counter starts at 0 with each session. Both network servers leave a 0 out of their JSON.
 */
export function frameCounter(counter: unknown, session: string | undefined): Candidate {
	const seq = counter ?? 0;
	return typeof seq === 'number' && session !== undefined ? { seq, boot: session.slice(0, 64) } : {};
}
