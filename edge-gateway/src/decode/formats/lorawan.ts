import type { MetricKey } from '@crowdvision/contracts';
import type { Candidate, Decoded } from '../message/candidate.ts';
import { sensorIdOf } from './sensor-id.ts';
import { candidatesOf, isObject, type VendorTable } from './vendor.ts';

/**
 * Keys of decoded payloads, as the codecs of the vendors named here spell them. Not here: `battery` (percent with one
 * vendor, volts with the next; the network tells its own), `tvoc` (an index or µg/m³ by device), `motion`, `pir`,
 * `occupancy` (whether, not how many), and running totals (`line_1_total_in`), which are not crossings since the last
 * message.
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

/** Milesight VS13x: one counting line or region of several. Each is a sensor of its own. */
const PARTS: readonly [RegExp, Readonly<Record<string, MetricKey>>][] = [
	[/^(line_\d{1,2})_period_(in|out)$/, { in: 'peopleIn', out: 'peopleOut' }],
	[/^(region_\d{1,2})_(count)$/, { count: 'peopleCount' }],
];

/** The readings of a payload that the network server has decoded. */
export function lorawanReadings(payload: unknown, sensorId: string, shared: Candidate): Decoded[] {
	const readings = candidatesOf(payload, LORAWAN, { sensorId, ...shared });
	if (!isObject(payload)) return readings;
	for (const [key, value] of Object.entries(payload)) {
		if (typeof value !== 'number') continue;
		for (const [pattern, metrics] of PARTS) {
			const [, part, what] = pattern.exec(key) ?? [];
			if (part === undefined) continue;
			readings.push({
				candidate: { sensorId: sensorIdOf(`${sensorId}.${part}`), ...shared, metric: metrics[what!], value },
				index: 0,
			});
		}
	}
	return readings;
}

/**
 * The frame counter recognizes an uplink that is delivered again; it begins anew with each session. Both servers write
 * their JSON without what is 0.
 */
export function frameCounter(counter: unknown, session: string | undefined): Candidate {
	const seq = counter ?? 0;
	return typeof seq === 'number' && session !== undefined ? { seq, boot: session.slice(0, 64) } : {};
}
