/** A rule whose violation ends the connection. */
export interface Rule {
	/** The normative statement of MQTT 3.1.1, or its section where no statement has a number. Label of the metric. */
	statement: string;
	/** What the client did, for the log. */
	text: string;
	/** Sent before the connection closes, where the standard has an answer. */
	answer?: Buffer;
}

/** CONNACK with a return code (MQTT 3.1.1 section 3.2). */
const connack = (returnCode: number): Buffer => Buffer.from([0x20, 2, 0, returnCode]);

/**
 * CONNACK in the format of MQTT 5 (section 3.2, and MQTT-3.1.2-2 there): reason code 0x84, unsupported protocol
 * version, with the reason string in property 0x1F.
 */
function connackOf5(reason: string): Buffer {
	const text = Buffer.from(reason);
	const properties = 3 + text.length;
	return Buffer.concat([Buffer.from([0x20, 3 + properties, 0, 0x84, properties, 0x1f, 0, text.length]), text]);
}

/** All rules for which the listener ends a connection by itself; most are checked before the broker sees the bytes. */
export const RULES = {
	nul: { statement: 'MQTT-1.5.3-2', text: 'a string with the character NUL' },
	utf8: { statement: 'MQTT-1.5.3-1', text: 'a string that is not well-formed UTF-8' },
	flags: { statement: 'MQTT-2.2.2-2', text: 'reserved flags with a wrong value' },
	packetId: { statement: 'MQTT-2.3.1-1', text: 'packet identifier 0' },
	acknowledgement: { statement: 'MQTT-2.3.1-6', text: 'an acknowledgement of a message that was never sent' },
	reservedType: { statement: 'MQTT section 2.2.1', text: 'a packet type that clients may not send' },
	length: { statement: 'MQTT section 2.2.3', text: 'a remaining length of more than four bytes' },
	tooLarge: { statement: 'MQTT-4.8.0-1', text: 'a packet larger than the limit' },
	malformed: { statement: 'MQTT-4.8.0-1', text: 'a packet whose length does not match its contents' },
	noConnect: { statement: 'MQTT-3.1.0-1', text: 'a first packet other than CONNECT' },
	secondConnect: { statement: 'MQTT-3.1.0-2', text: 'a second CONNECT' },
	protocolName: { statement: 'MQTT-3.1.2-1', text: 'a protocol other than MQTT', answer: connack(1) },
	protocolLevel: { statement: 'MQTT-3.1.2-2', text: 'an unsupported protocol level', answer: connack(1) },
	protocol5: {
		statement: 'MQTT-3.1.2-2',
		text: 'MQTT 5',
		answer: connackOf5('This broker supports MQTT 3.1.1 (protocol level 4)'),
	},
	connectFlag: { statement: 'MQTT-3.1.2-3', text: 'the reserved flag of CONNECT' },
	willQosWithoutWill: { statement: 'MQTT-3.1.2-13', text: 'a will QoS without a will' },
	willQos: { statement: 'MQTT-3.1.2-14', text: 'will QoS 3' },
	willRetainWithoutWill: { statement: 'MQTT-3.1.2-15', text: 'will retain without a will' },
	passwordWithoutUser: { statement: 'MQTT-3.1.2-22', text: 'a password without a user name' },
	clientId: {
		statement: 'MQTT-3.1.3-8',
		text: 'an empty client identifier with clean session 0',
		answer: connack(2),
	},
	connect: { statement: 'MQTT-3.1.4-1', text: 'a CONNECT whose fields do not match its flags or length' },
	dup: { statement: 'MQTT-3.3.1-2', text: 'DUP with QoS 0' },
	qos: { statement: 'MQTT-3.3.1-4', text: 'QoS 3' },
	noTopic: { statement: 'MQTT-4.7.3-1', text: 'an empty topic' },
	wildcardInTopic: { statement: 'MQTT-3.3.2-2', text: 'a wildcard in the topic of a PUBLISH' },
	pubrelFlags: { statement: 'MQTT-3.6.1-1', text: 'the reserved flags of PUBREL' },
	subscribeFlags: { statement: 'MQTT-3.8.1-1', text: 'the reserved flags of SUBSCRIBE' },
	noFilter: { statement: 'MQTT-3.8.3-3', text: 'a SUBSCRIBE without a filter' },
	requestedQos: { statement: 'MQTT-3.8.3-4', text: 'a requested QoS other than 0, 1 or 2' },
	unsubscribeFlags: { statement: 'MQTT-3.10.1-1', text: 'the reserved flags of UNSUBSCRIBE' },
	noUnsubscribeFilter: { statement: 'MQTT-3.10.3-2', text: 'an UNSUBSCRIBE without a filter' },
	disconnectFlags: { statement: 'MQTT-3.14.1-1', text: 'the reserved flags of DISCONNECT' },
	manyLevels: { statement: 'MQTT-4.7.1-2', text: 'a # that is not the last level of its filter' },
	oneLevel: { statement: 'MQTT-4.7.1-3', text: 'a + that does not fill its level' },
	textFrame: { statement: 'MQTT-6.0.0-1', text: 'a WebSocket frame that is not binary' },
	slowPacket: { statement: 'MQTT-4.8.0-1', text: 'a packet that was not completed in time' },
	unread: { statement: 'MQTT-4.8.0-1', text: 'too much unread data' },
} as const satisfies Record<string, Rule>;
