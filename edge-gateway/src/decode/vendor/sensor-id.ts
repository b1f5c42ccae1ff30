import { DecodeError } from '../message/candidate.ts';

const MAX_LENGTH = 128;

/**
 * Turns a vendor's name for a device into a sensor id: each character that an id may not hold becomes `-`, and the id
 * is cut to 128 characters. Two names that differ only in those characters become the same sensor, so devices should be
 * named with A-Z a-z 0-9 . _ : - only.
 */
export function sensorIdOf(name: string): string {
	return name.replace(/[^A-Za-z0-9._:-]/g, '-').slice(0, MAX_LENGTH);
}

/**
 * `sensorIdOf` of the parts joined by a dot; empty and missing parts are left out.
 * @throws DecodeError if no part is left.
 */
export function sensorIdFrom(...parts: (string | undefined)[]): string {
	const id = sensorIdOf(parts.filter(Boolean).join('.'));
	if (id === '')
		throw new DecodeError({ path: '/sensorId', message: 'is named by neither the topic nor the payload' }, 0);
	return id;
}
