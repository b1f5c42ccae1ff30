/** Packets as bytes, valid or not: libraries write valid ones only. `str` is a string with its length in front. */
export const str = (text: string | Buffer): Buffer => {
	const bytes = Buffer.from(text);
	return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};
/** A packet with this first byte (type and flags), and the remaining length that its parts have. */
export const packetOf = (first: number, ...parts: (Buffer | number[])[]): Buffer => {
	const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
	const length: number[] = [];
	let left = body.length;
	do {
		length.push((left % 128) + (left > 127 ? 128 : 0));
		left = Math.floor(left / 128);
	} while (left > 0);
	return Buffer.concat([Buffer.from([first, ...length]), body]);
};

interface ConnectFields {
	name?: string;
	level?: number;
	flags?: number;
	clientId?: string | Buffer;
	/** Will topic, will message, user name and password, as far as their flags are set. */
	rest?: Buffer[];
}

/** A CONNECT, by default with user name `u` and password `p`. */
export function connectOf({
	name = 'MQTT',
	level = 4,
	flags = 0xc2,
	clientId = 'c',
	rest = [str('u'), str('p')],
}: ConnectFields = {}): Buffer {
	return packetOf(0x10, str(name), [level, flags, 0, 60], str(clientId), ...rest);
}

/** Bytes for which the connection must end. */
export interface Malformed {
	/** The statement of MQTT 3.1.1 that they break. */
	statement: string;
	what: string;
	bytes: Buffer;
	/** What the client gets before the connection ends, if anything. */
	answer?: Buffer;
}

const SURROGATE = Buffer.from([0x61, 0xed, 0xa0, 0x80]);
const OVERLONG = Buffer.from([0xc0, 0xaf]);
const connackOf = (code: number) => Buffer.from([0x20, 2, 0, code]);
const [ID, ID_0] = [
	[0, 7],
	[0, 0],
];
const row = (statement: string, what: string, bytes: Buffer, answer?: Buffer): Malformed => ({
	statement,
	what,
	bytes,
	...(answer && { answer }),
});

/** Invalid first packets. */
export const MALFORMED_CONNECTS: Malformed[] = [
	row('MQTT-1.5.3-1', 'a lone surrogate in the client id', connectOf({ clientId: SURROGATE })),
	row('MQTT-1.5.3-1', 'an overlong character in the user name', connectOf({ rest: [str(OVERLONG), str('p')] })),
	row(
		'MQTT-1.5.3-1',
		'a lone surrogate in the will topic',
		connectOf({ flags: 0xc6, rest: [str(SURROGATE), str('m'), str('u'), str('p')] }),
	),
	row('MQTT-1.5.3-2', 'NUL in the client id', connectOf({ clientId: 'a\0' })),
	row('MQTT-1.5.3-2', 'NUL in the user name', connectOf({ rest: [str('u\0'), str('p')] })),
	row(
		'MQTT-1.5.3-2',
		'NUL in the will topic',
		connectOf({ flags: 0xc6, rest: [str('w\0'), str('m'), str('u'), str('p')] }),
	),
	row('MQTT-2.2.2-2', 'reserved flags in the header of CONNECT', packetOf(0x11, connectOf().subarray(2))),
	row('MQTT-3.1.0-1', 'PINGREQ before CONNECT', packetOf(0xc0)),
	row('MQTT-3.1.0-1', 'PUBLISH before CONNECT', packetOf(0x30, str('t'))),
	row('MQTT-3.1.2-1', 'a protocol that is not MQTT', connectOf({ name: 'MQTX' }), connackOf(1)),
	row('MQTT-3.1.2-2', 'protocol level 6', connectOf({ level: 6 }), connackOf(1)),
	row('MQTT-3.1.2-2', 'protocol level 3 under the name of level 4', connectOf({ level: 3 }), connackOf(1)),
	row('MQTT-3.1.2-3', 'the reserved flag of CONNECT', connectOf({ flags: 0xc3 })),
	row('MQTT-3.1.2-13', 'a will QoS without a will', connectOf({ flags: 0xca })),
	row('MQTT-3.1.2-14', 'will QoS 3', connectOf({ flags: 0xde, rest: [str('w'), str('m'), str('u'), str('p')] })),
	row('MQTT-3.1.2-15', 'will retain without a will', connectOf({ flags: 0xe2 })),
	row('MQTT-3.1.2-22', 'a password without a user name', connectOf({ flags: 0x42, rest: [str('p')] })),
	row('MQTT-3.1.3-8', 'no client id, with clean session 0', connectOf({ flags: 0xc0, clientId: '' }), connackOf(2)),
	row('MQTT-3.1.4-1', 'a CONNECT without the password it names', connectOf({ rest: [str('u')] })),
	row('MQTT-3.1.4-1', 'a CONNECT with more than its fields', connectOf({ rest: [str('u'), str('p'), str('x')] })),
	row('MQTT-3.1.4-1', 'an empty CONNECT', packetOf(0x10)),
	row(
		'MQTT-3.3.2-2',
		'a wildcard in the will topic',
		connectOf({ flags: 0xc6, rest: [str('w/#'), str('m'), str('u'), str('p')] }),
	),
	row('MQTT-4.7.3-1', 'an empty will topic', connectOf({ flags: 0xc6, rest: [str(''), str('m'), str('u'), str('p')] })),
	row('MQTT-4.8.0-1', 'a CONNECT of more than 16 KiB', packetOf(0x10, Buffer.alloc(16 * 1024 + 1))),
	row('MQTT section 2.2.3', 'a remaining length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f])),
];

/** Invalid packets from a client that has signed in. */
export const MALFORMED_PACKETS: Malformed[] = [
	row('MQTT-1.5.3-1', 'a lone surrogate in a topic', packetOf(0x30, str(SURROGATE))),
	row('MQTT-1.5.3-1', 'ill-formed UTF-8 in a filter', packetOf(0x82, ID, str(OVERLONG), [0])),
	row('MQTT-1.5.3-1', 'ill-formed UTF-8 in a filter of UNSUBSCRIBE', packetOf(0xa2, ID, str(OVERLONG))),
	row('MQTT-1.5.3-2', 'NUL in a topic', packetOf(0x30, str('a/\0'))),
	row('MQTT-1.5.3-2', 'NUL in a filter', packetOf(0x82, ID, str('a\0b'), [0])),
	row('MQTT-2.2.2-2', 'flags of PUBACK', packetOf(0x42, ID)),
	row('MQTT-2.2.2-2', 'flags of PINGREQ', packetOf(0xc8)),
	row('MQTT-2.3.1-1', 'packet id 0 in a PUBLISH', packetOf(0x32, str('t'), ID_0)),
	row('MQTT-2.3.1-1', 'packet id 0 in a SUBSCRIBE', packetOf(0x82, ID_0, str('t'), [0])),
	row('MQTT-2.3.1-1', 'packet id 0 in an UNSUBSCRIBE', packetOf(0xa2, ID_0, str('t'))),
	row('MQTT-2.3.1-1', 'packet id 0 in a PUBREL', packetOf(0x62, ID_0)),
	row('MQTT-2.3.1-6', 'PUBACK of a message never sent', packetOf(0x40, ID)),
	row('MQTT-2.3.1-6', 'PUBREC of a message never sent', packetOf(0x50, ID)),
	row('MQTT-2.3.1-6', 'PUBCOMP of a message never sent', packetOf(0x70, ID)),
	row('MQTT-3.1.0-2', 'a second CONNECT', connectOf()),
	row('MQTT-3.3.1-2', 'DUP with QoS 0', packetOf(0x38, str('t'))),
	row('MQTT-3.3.1-4', 'QoS 3', packetOf(0x36, str('t'), ID)),
	row('MQTT-3.3.2-2', '# in a topic', packetOf(0x30, str('a/#'))),
	row('MQTT-3.3.2-2', '+ in a topic', packetOf(0x30, str('+/b'))),
	row('MQTT-3.6.1-1', 'flags of PUBREL', packetOf(0x60, ID)),
	row('MQTT-3.8.1-1', 'flags of SUBSCRIBE', packetOf(0x80, ID, str('t'), [0])),
	row('MQTT-3.8.3-3', 'a SUBSCRIBE without a filter', packetOf(0x82, ID)),
	row('MQTT-3.8.3-4', 'a requested QoS of 3', packetOf(0x82, ID, str('t'), [3])),
	row('MQTT-3.8.3-4', 'reserved bits beside a requested QoS', packetOf(0x82, ID, str('t'), [4])),
	row('MQTT-3.10.1-1', 'flags of UNSUBSCRIBE', packetOf(0xa0, ID, str('t'))),
	row('MQTT-3.10.3-2', 'an UNSUBSCRIBE without a filter', packetOf(0xa2, ID)),
	row('MQTT-3.14.1-1', 'flags of DISCONNECT', packetOf(0xe1)),
	row('MQTT-4.7.1-2', '# in the middle of a filter', packetOf(0x82, ID, str('a/#/b'), [0])),
	row('MQTT-4.7.1-2', '# as a part of a level', packetOf(0x82, ID, str('a#'), [0])),
	row('MQTT-4.7.1-3', '+ as a part of a level', packetOf(0x82, ID, str('a+/b'), [0])),
	row('MQTT-4.7.3-1', 'an empty topic', packetOf(0x30, str(''))),
	row('MQTT-4.7.3-1', 'an empty filter', packetOf(0x82, ID, str(''), [0])),
	row('MQTT-4.8.0-1', 'a topic that is longer than its packet', packetOf(0x30, [0, 5, 0x61])),
	row('MQTT-4.8.0-1', 'a PUBLISH without room for its packet id', packetOf(0x32, str('t'), [0])),
	row('MQTT-4.8.0-1', 'a PUBLISH of one byte', packetOf(0x30, [0])),
	row('MQTT-4.8.0-1', 'a filter without its QoS', packetOf(0x82, ID, str('t'))),
	row('MQTT-4.8.0-1', 'a PINGREQ with contents', packetOf(0xc0, [0])),
	row('MQTT-4.8.0-1', 'a PUBACK of three bytes', packetOf(0x40, ID, [0])),
	row('MQTT-4.8.0-1', 'a SUBSCRIBE of more than 64 KiB', packetOf(0x82, Buffer.alloc(64 * 1024 + 1))),
	row('MQTT section 2.2.1', 'a CONNACK', packetOf(0x20, [0, 0])),
	row('MQTT section 2.2.1', 'a SUBACK', packetOf(0x90, ID, [0])),
	row('MQTT section 2.2.1', 'packet type 0', packetOf(0x00)),
	row('MQTT section 2.2.1', 'packet type 15', packetOf(0xf0)),
];
