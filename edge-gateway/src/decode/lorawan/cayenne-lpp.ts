/** CayenneLPP: its quantities in the spellings of the network servers, and its bytes. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { DecodeError } from '../message/candidate.ts';
import { candidatesOf, isObject, type JsonObject, partOf, type VendorTable } from '../vendor/vendor-table.ts';

/**
 * Quantities of CayenneLPP, under the names that The Things Stack gives them (`temperature_3`). Sources: the format's
 * own description and the codecs of both network servers, read 2026-11-30. Left out, as they do not say what they
 * measure: `analog_in`, `analog_out`, `digital_in`, `digital_out`; and `presence`, which says that somebody is there
 * but not how many.
 */
export const CAYENNE_LPP: VendorTable = {
	temperature: { metric: 'temperature' },
	relative_humidity: { metric: 'humidity' },
	luminosity: { metric: 'illuminance' },
	barometric_pressure: { metric: 'pressure' },
};

/** ChirpStack's names for the same: `{"temperatureSensor": {"3": 27.2}}`. */
export const CHIRPSTACK_LPP: Readonly<Record<string, string>> = {
	temperatureSensor: 'temperature',
	humiditySensor: 'relative_humidity',
	illuminanceSensor: 'luminosity',
	barometer: 'barometric_pressure',
	presenceSensor: 'presence',
	analogInput: 'analog_in',
	analogOutput: 'analog_out',
	digitalInput: 'digital_in',
	digitalOutput: 'digital_out',
};

const CHANNEL = /^\d{1,3}$/;
const NAME_AND_CHANNEL = /^([a-z_]+)_(\d{1,3})$/;

/** The values of one channel of a device, by The Things Stack's names. */
type Channels = Map<string, JsonObject>;

/** Readings of a CayenneLPP payload in either spelling. Each channel is a sensor `{id}.{channel}`. */
export function cayenneReadings(
	payload: JsonObject,
	table: VendorTable,
	sensorId: string | undefined,
	shared: Candidate,
): Decoded[] {
	const channels: Channels = new Map();
	for (const [key, value] of Object.entries(payload)) for (const one of cayenneMembers(key, value)) add(channels, one);
	return [...channels].flatMap(([channel, values]) =>
		candidatesOf(values, table, { sensorId: partOf(sensorId, channel), ...shared }),
	);
}

/** A value of CayenneLPP with its channel. */
interface CayenneMember {
	channel: string;
	name: string;
	value: unknown;
}

/** What a member of a decoded payload holds of CayenneLPP; empty if it is something else. */
export function cayenneMembers(key: string, value: unknown): CayenneMember[] {
	if (Object.hasOwn(CHIRPSTACK_LPP, key) && isObject(value)) {
		return Object.entries(value)
			.filter(([channel]) => CHANNEL.test(channel))
			.map(([channel, one]) => ({ channel, name: CHIRPSTACK_LPP[key]!, value: one }));
	}
	const [, name, channel] = NAME_AND_CHANNEL.exec(key) ?? [];
	return name !== undefined && LPP_NAMES.has(name) ? [{ channel: channel!, name, value }] : [];
}

function add(channels: Channels, { channel, name, value }: CayenneMember): void {
	channels.set(channel, { ...channels.get(channel), [name]: value });
}

/** One type of CayenneLPP on the wire: its name, length, and the weight of its last bit where it is one number. */
interface LppType {
	name: string;
	bytes: number;
	scale?: number;
	signed?: boolean;
}

/**
 * Types by their number: myDevices' description of CayenneLPP 1.0 (0 to 136) and the types that ElectronicCats'
 * CayenneLPP 1.4 adds (100 to 142), read 2026-11-30.
 */
const TYPES: Readonly<Record<number, LppType>> = {
	0: { name: 'digital_in', bytes: 1, scale: 1 },
	1: { name: 'digital_out', bytes: 1, scale: 1 },
	2: { name: 'analog_in', bytes: 2, scale: 0.01, signed: true },
	3: { name: 'analog_out', bytes: 2, scale: 0.01, signed: true },
	100: { name: 'generic', bytes: 4, scale: 1 },
	101: { name: 'luminosity', bytes: 2, scale: 1 },
	102: { name: 'presence', bytes: 1, scale: 1 },
	103: { name: 'temperature', bytes: 2, scale: 0.1, signed: true },
	104: { name: 'relative_humidity', bytes: 1, scale: 0.5 },
	113: { name: 'accelerometer', bytes: 6 },
	115: { name: 'barometric_pressure', bytes: 2, scale: 0.1 },
	116: { name: 'voltage', bytes: 2, scale: 0.01 },
	117: { name: 'current', bytes: 2, scale: 0.001 },
	118: { name: 'frequency', bytes: 4, scale: 1 },
	120: { name: 'percentage', bytes: 1, scale: 1 },
	121: { name: 'altitude', bytes: 2, scale: 1, signed: true },
	125: { name: 'concentration', bytes: 2, scale: 1 },
	128: { name: 'power', bytes: 2, scale: 1 },
	130: { name: 'distance', bytes: 4, scale: 0.001 },
	131: { name: 'energy', bytes: 4, scale: 0.001 },
	132: { name: 'direction', bytes: 2, scale: 1 },
	133: { name: 'unixtime', bytes: 4, scale: 1 },
	134: { name: 'gyrometer', bytes: 6 },
	135: { name: 'colour', bytes: 3 },
	136: { name: 'gps', bytes: 9 },
	142: { name: 'switch', bytes: 1, scale: 1 },
};

/** All names of quantities, by which a member of a decoded payload is known to be of CayenneLPP. */
const LPP_NAMES = new Set([...Object.keys(CAYENNE_LPP), ...Object.values(TYPES).map(({ name }) => name)]);

const DECIMALS = 1e6;

/**
 * Reads CayenneLPP bytes into a decoded payload with The Things Stack's names, `{"temperature_3": 27.2}`.
 * @throws DecodeError `not_decoded` for an unknown type, whose length is unknown too, or a value that is cut off
 */
export function readCayenneLpp(raw: Uint8Array): JsonObject {
	if (raw.length === 0) throw DecodeError.unreadable('is not CayenneLPP: it is empty');
	const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
	const values: JsonObject = {};
	for (let at = 0; at < bytes.length; ) {
		const [channel, number] = [bytes[at]!, bytes[at + 1]];
		const type = number === undefined ? undefined : TYPES[number];
		if (!type) throw DecodeError.unreadable(`is not CayenneLPP: byte ${at + 1} names no type (${number ?? 'the end'})`);
		at += 2;
		if (at + type.bytes > bytes.length)
			throw DecodeError.unreadable(`is not CayenneLPP: ${type.name} of channel ${channel} is cut off`);
		if (type.scale !== undefined) {
			const value = type.signed ? bytes.readIntBE(at, type.bytes) : bytes.readUIntBE(at, type.bytes);
			values[`${type.name}_${channel}`] = Math.round(value * type.scale * DECIMALS) / DECIMALS;
		}
		at += type.bytes;
	}
	return values;
}
