import type { Frame } from '../../../frame.ts';
import type { PacedQueue } from '../../../limits/paced-queue.ts';
import type { Sender } from '../../../normalize/identify.ts';
import type { MqttConnection } from './connection.ts';
import type { Pubacks } from './puback-writer.ts';

/** What the gateway holds for one connected MQTT client. */
export interface MqttPeer {
	connection: MqttConnection;
	pubacks: Pubacks;
	/** Undefined until the client has signed in. */
	sender: Sender | undefined;
	/** Undefined until the client has signed in. */
	paced: PacedQueue | undefined;
	/** Learns from messages in the gateway's own format. Undefined until the client is connected. */
	readings: { met(frame: Frame): void; close(): void } | undefined;
}
