/** Who the sensors of a message are: their ids and names, and those of which nobody knows the place. */

import type { Decoded } from '../decode/message/candidate.ts';
import type { SensorNames } from '../devices/sensor-names.ts';
import { UnknownSensorError } from '../devices/unknown-sensor.ts';
import type { Frame } from '../frame.ts';

/** Formats that state the ids of sensors. Others have names for them. */
const STATING_IDS: ReadonlySet<string | undefined> = new Set([undefined, 'canonical', 'cbor', 'jsonata']);

/** A decoded reading with its sensor's id and display name; one with a mistake stays as it is. */
export function named(decoded: Decoded, frame: Frame, names: SensorNames | undefined): Decoded {
	if (decoded.mistake || !names) return decoded;
	const { source, sender, decodeBy } = frame;
	const isFromName = !STATING_IDS.has(decodeBy?.rule.use);
	return { ...decoded, candidate: names.identify(decoded.candidate, source, sender.domainName, isFromName) };
}

/**
 * Adds to the error for a sensor whose place is unknown the others of its message, so that all are quarantined at once:
 * one round of adopting is then enough. Other errors stay as they are.
 */
export function nameStrangers(error: Error, decoded: readonly Decoded[], check: (decoded: Decoded) => unknown): void {
	if (!(error instanceof UnknownSensorError)) return;
	const found = new Map<string, UnknownSensorError>();
	for (const one of decoded) {
		try {
			check(one);
		} catch (other) {
			if (!(other instanceof UnknownSensorError) || other.sensorId === error.sensorId) continue;
			if (!found.has(other.sensorId)) found.set(other.sensorId, other);
		}
	}
	error.others = [...found.values()];
}
