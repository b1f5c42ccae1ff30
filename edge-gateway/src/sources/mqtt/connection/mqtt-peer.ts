import type { Pace } from '../../../limits/pace.ts';
import type { Sender } from '../../../normalize/identify.ts';
import type { MqttConnection } from './mqtt-connection.ts';
import type { Pubacks } from './puback-writer.ts';

/** One MQTT client, while it is connected. */
export interface MqttPeer {
	connection: MqttConnection;
	pubacks: Pubacks;
	/** Both once it has signed in. */
	sender: Sender | undefined;
	pace: Pace | undefined;
}
