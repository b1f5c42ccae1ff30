import { DecodeError } from '../message/candidate.ts';

const LONGEST = 128;

/**
 * A vendor's name for a device as a sensor id: each character that an id may not have becomes `-`, and what is longer
 * than 128 is cut. Two names that differ in nothing else become the same sensor, so name devices within A-Z a-z 0-9 . _
 * : -
 */
export function sensorIdOf(name: string): string {
	return name.replace(/[^A-Za-z0-9._:-]/g, '-').slice(0, LONGEST);
}

/**
 * As `sensorIdOf`, of parts joined by a dot; empty and missing ones are left out. @throws DecodeError where nothing is
 * left.
 */
export function sensorIdFrom(...parts: (string | undefined)[]): string {
	const id = sensorIdOf(parts.filter(Boolean).join('.'));
	if (id === '')
		throw new DecodeError({ path: '/sensorId', message: 'is named neither by the topic nor by the payload' }, 0);
	return id;
}
