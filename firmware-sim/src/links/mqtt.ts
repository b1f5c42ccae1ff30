/** A device's link to the gateway over MQTT. */
import { TOPICS } from '@crowdvision/contracts';
import mqtt, { type MqttClient } from 'mqtt';
import type { DeviceReading } from '../reading.ts';
import {
	CLOSE_TIMEOUT_MS,
	type Connection,
	type Credentials,
	connectionEnd,
	type Link,
	type OnCommand,
	OPEN_TIMEOUT_MS,
	parseCommand,
	type Verdict,
	withTimeout,
} from './link.ts';

export interface MqttLinkOptions {
	/** Such as `mqtt://127.0.0.1:1883`; also `mqtts:`, `ws:` and `wss:`. */
	url: string;
	/** Must be unique among the broker's clients. */
	clientId: string;
	credentials: Credentials;
	/** The sensors whose state it publishes and whose commands it receives. The last will is that of the first. */
	sensorIds: readonly string[];
	onCommand?: OnCommand;
}

/** MQTT 3.1.1, QoS 1: PUBACK acknowledges a reading. The payload leaves out the ids that are in the topic. */
export function mqttLink(options: MqttLinkOptions): Link {
	return { transport: 'mqtt', window: 32, open: (signal) => open(options, signal) };
}

async function open(
	{ url, clientId, credentials, sensorIds, onCommand }: MqttLinkOptions,
	signal: AbortSignal,
): Promise<Connection> {
	const [first] = sensorIds;
	const client = mqtt.connect(url, {
		clientId,
		username: credentials.deviceId,
		password: credentials.token,
		protocolVersion: 4,
		clean: true,
		// The uplink reconnects and resends: it knows which readings are unacknowledged.
		reconnectPeriod: 0,
		connectTimeout: OPEN_TIMEOUT_MS,
		keepalive: 30,
		...(first && {
			will: { topic: `${TOPICS.status}/${first}`, payload: Buffer.from('offline'), qos: 1 as const, retain: true },
		}),
	});
	const { closed, end } = connectionEnd();
	let lastError = 'the broker closed the connection';
	client.on('error', (error) => {
		lastError = error.message;
	});
	client.on('close', () => end(lastError));

	await connected(client, closed, signal);
	client.on('message', (topic, payload) => {
		const command = parseCommand(payload.toString(), topic.slice(TOPICS.command.length + 1));
		if (!command) return;
		// A lost answer needs no care here: the gateway then repeats the command.
		onCommand?.(command, (answer) =>
			client.publish(`${topic}/result`, JSON.stringify({ id: command.id, ...answer }), { qos: 1 }, () => {}),
		);
	});
	for (const sensorId of sensorIds) {
		client.publish(`${TOPICS.status}/${sensorId}`, 'online', { qos: 1, retain: true });
		// If the subscription is refused the device gets no commands; its readings still go through.
		client.subscribe(`${TOPICS.command}/${sensorId}`, { qos: 1 }, () => {});
	}

	const cut = (reason: string) => {
		lastError = reason;
		client.stream.destroy();
		// An ended client drops undelivered messages; the uplink still has their readings.
		client.end(true);
		end(reason);
	};
	return {
		closed,
		cut,
		send: (reading) =>
			new Promise<Verdict>((resolve, reject) => {
				client.publish(topicOf(reading), payloadOf(reading), { qos: 1 }, (error) =>
					error ? reject(error) : resolve({ outcome: 'acknowledged' }),
				);
			}),
		async close() {
			try {
				const offline = sensorIds.map((sensorId) =>
					client.publishAsync(`${TOPICS.status}/${sensorId}`, 'offline', { qos: 1, retain: true }),
				);
				await withTimeout(CLOSE_TIMEOUT_MS, 'publishing the offline state', Promise.all(offline));
				await withTimeout(CLOSE_TIMEOUT_MS, 'disconnecting', client.endAsync());
				end('switched off');
			} catch {
				cut('switched off');
			}
		},
	};
}

async function connected(client: MqttClient, closed: Promise<string>, signal: AbortSignal): Promise<void> {
	const aborted = Promise.withResolvers<never>();
	const onAbort = () => aborted.reject(new Error('stopped'));
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		const refused = closed.then((reason) => Promise.reject(new Error(reason)));
		const accepted = new Promise<void>((resolve) => client.once('connect', () => resolve()));
		await withTimeout(OPEN_TIMEOUT_MS, 'connecting', Promise.race([accepted, refused, aborted.promise]));
	} catch (error) {
		client.end(true);
		throw error;
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
}

const topicOf = ({ buildingId, roomId, sensorId }: DeviceReading) =>
	`${TOPICS.telemetry}/${buildingId}/${roomId}/${sensorId}`;

function payloadOf({ buildingId: _building, roomId: _room, sensorId: _sensor, ...rest }: DeviceReading): string {
	return JSON.stringify(rest);
}
