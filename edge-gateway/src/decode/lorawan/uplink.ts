/** The bytes of an uplink, taken out of the message of a network server. */
import type { Candidate } from '../message/candidate.ts';
import { DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { deviceName, isObject, type JsonObject, member, textMember } from '../vendor/vendor-table.ts';
import { frameCounter } from './payload.ts';

/** The bytes of a device with what is known of their transmission. */
export interface Uplink {
	/** Undefined for bytes that came without a network server and whose topic names no device. */
	sensorId: string | undefined;
	bytes: Buffer;
	/** LoRaWAN's port; undefined for bytes that came without a network server. */
	fPort: number | undefined;
	/** Time and frame counter, for the readings. */
	shared: Candidate;
	/** ISO 8601, where the network server names the time. */
	receivedAt: string | undefined;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The bytes in a message: those of an uplink of The Things Stack v3 (`uplink_message.frm_payload`) or ChirpStack v4
 * (`data`), also without decoded payload; else the message itself. Undefined for a message of a network server that is
 * no uplink, or whose uplink holds no bytes.
 * @throws DecodeError
 */
export function uplinkOf(message: Message): Uplink | undefined {
	const body = networkMessage(message.raw);
	if (!body) {
		return {
			sensorId: deviceName(message),
			bytes: message.raw,
			fPort: undefined,
			shared: {},
			receivedAt: undefined,
		};
	}
	return isObject(member(body, 'end_device_ids')) ? ofTheThingsStack(body) : ofChirpstack(body);
}

/** The JSON of a network server's message; undefined for anything else. */
function networkMessage(raw: Buffer): JsonObject | undefined {
	if (raw[0] !== 0x7b) return undefined;
	try {
		const body = parseJson(raw);
		return isObject(body) && (isObject(member(body, 'end_device_ids')) || isObject(member(body, 'deviceInfo')))
			? body
			: undefined;
	} catch {
		return undefined;
	}
}

function ofTheThingsStack(body: JsonObject): Uplink | undefined {
	const uplink = member(body, 'uplink_message');
	const device = textMember(member(body, 'end_device_ids'), 'device_id');
	if (device === undefined) throw new DecodeError({ path: '/end_device_ids/device_id', message: 'is required' }, 0);
	const receivedAt = textMember(uplink, 'received_at') ?? textMember(body, 'received_at');
	const counter = frameCounter(member(uplink, 'f_cnt'), textMember(uplink, 'session_key_id'));
	return uplinkWith(device, textMember(uplink, 'frm_payload'), member(uplink, 'f_port'), counter, receivedAt);
}

function ofChirpstack(body: JsonObject): Uplink | undefined {
	const devEui = textMember(member(body, 'deviceInfo'), 'devEui');
	if (devEui === undefined) throw new DecodeError({ path: '/deviceInfo/devEui', message: 'is required' }, 0);
	const counter = frameCounter(member(body, 'fCnt'), textMember(body, 'devAddr'));
	return uplinkWith(devEui, textMember(body, 'data'), member(body, 'fPort'), counter, textMember(body, 'time'));
}

function uplinkWith(
	device: string,
	base64: string | undefined,
	fPort: unknown,
	counter: Candidate,
	receivedAt: string | undefined,
): Uplink | undefined {
	if (base64 === undefined) return undefined;
	if (!BASE64.test(base64)) throw DecodeError.unreadable('holds an uplink that is not base64');
	return {
		sensorId: sensorIdFrom(device),
		bytes: Buffer.from(base64, 'base64'),
		fPort: typeof fPort === 'number' ? fPort : undefined,
		shared: { ...counter, ...(receivedAt !== undefined && { observedAt: receivedAt }) },
		receivedAt,
	};
}
