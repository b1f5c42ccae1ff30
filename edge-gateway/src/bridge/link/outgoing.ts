import type { LogRecord } from '@crowdvision/log';
import type { IPublishPacket } from 'mqtt-packet';
import type { RemoteConnection } from '../remote/remote-connection.ts';
import type { DropReason } from './bridge-tally.ts';

/** A message for the remote. */
export interface Outgoing {
	topic: string;
	payload: Buffer;
	qos: 0 | 1 | 2;
	retain: boolean;
	userProperties?: Record<string, string>;
	/** Called once, when the message is first handed to the connection. */
	onSent?: () => void;
}

/** Turns a record into a message or a reason to drop it; undefined when the record is not for this bridge. */
export type Route = (record: LogRecord) => Outgoing | DropReason | undefined;

/** The PUBLISH for a message, within what the remote allows: QoS, retained messages, user properties (MQTT 5). */
export function publishPacket(
	{ topic, payload, qos: wantedQos, retain, userProperties }: Outgoing,
	messageId: number,
	dup: boolean,
	{ allowed, version }: Pick<RemoteConnection, 'allowed' | 'version'>,
): IPublishPacket {
	const qos = Math.min(wantedQos, allowed.qos) as 0 | 1 | 2;
	return {
		cmd: 'publish',
		topic,
		payload,
		qos,
		retain: retain && allowed.retain,
		dup: dup && qos > 0,
		...(qos > 0 && { messageId }),
		...(version === 5 && userProperties && { properties: { userProperties } }),
	};
}
