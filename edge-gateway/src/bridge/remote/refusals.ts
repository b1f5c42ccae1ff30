import type { Packet } from 'mqtt-packet';

/** CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3). */
const RETURN_CODES: Record<number, string> = {
	1: 'the protocol version is not supported',
	2: 'the client id is not allowed',
	3: 'the server is not available',
	4: 'bad user name or password',
	5: 'not authorized',
};

/** Reason codes of MQTT 5 for errors that a bridge may get (section 2.4). */
const REASON_CODES: Record<number, string> = {
	128: 'unspecified error',
	129: 'malformed packet',
	130: 'protocol error',
	131: 'implementation specific error',
	132: 'the protocol version is not supported',
	133: 'the client id is not allowed',
	134: 'bad user name or password',
	135: 'not authorized',
	136: 'the server is not available',
	137: 'the server is busy',
	138: 'banned',
	139: 'the server is shutting down',
	140: 'bad authentication method',
	141: 'keep alive timeout',
	142: 'another client took over the session',
	143: 'a topic filter is not allowed',
	144: 'the topic name is not allowed',
	147: 'too many messages in flight',
	149: 'a packet is too large',
	151: 'a quota is exceeded',
	153: 'the payload does not match its format',
	154: 'retained messages are not supported',
	155: 'the QoS is not supported',
	156: 'use another server',
	157: 'the server has moved',
	159: 'too many connections',
	160: 'connected for too long',
};

/**
 * The refusal in an acknowledgement or DISCONNECT, with the reason in words; undefined when there is none.
 * `isVersion`: another protocol version may be accepted.
 */
export function refusalOf(packet: Packet): { message: string; isVersion: boolean } | undefined {
	const { returnCode, reasonCode, properties } = packet as {
		returnCode?: number;
		reasonCode?: number;
		properties?: { reasonString?: string };
	};
	const code = reasonCode ?? returnCode ?? 0;
	if (code === 0 || (reasonCode !== undefined && reasonCode > 5 && reasonCode < 0x80)) return undefined;
	const reason = properties?.reasonString ?? REASON_CODES[code] ?? RETURN_CODES[code] ?? 'refused';
	return { message: `${reason} (code ${code})`, isVersion: code === 1 || code === 0x84 };
}
