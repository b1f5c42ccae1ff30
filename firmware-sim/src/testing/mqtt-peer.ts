import { TOPICS } from '@crowdvision/contracts';
import { type Mosquitto, startMosquitto } from '@crowdvision/testing/mosquitto';
import mqtt, { type MqttClient } from 'mqtt';
import { mqttLink } from '../links/mqtt.ts';
import type { DeviceReading } from '../reading.ts';
import { CREDENTIALS, type Peer } from './peer.ts';

export interface MqttPeer extends Peer {
	readonly broker: Mosquitto;
	/** Another client of the broker, which receives everything. */
	readonly listener: MqttClient;
	/** Every message but telemetry, as [topic, payload, retained]. */
	readonly others: [string, string, boolean][];
	/** Payloads of telemetry as they arrived. */
	readonly payloads: string[];
	link(): ReturnType<typeof mqttLink>;
	/** Commands that the device received, as [sensor, name]. */
	readonly commands: [string, string][];
}

/**
 * A real Mosquitto and a listener. The listener's session and everything that was acknowledged survive a restart of the
 * broker.
 */
export async function mqttPeer(): Promise<MqttPeer> {
	const broker = await startMosquitto({
		config: 'persistence true\npersistence_location {dir}/\nmax_queued_messages 0',
	});
	const listener = await mqtt.connectAsync(broker.url, {
		clientId: 'listener',
		clean: false,
		reconnectPeriod: 50,
		protocolVersion: 4,
	});
	const peer: MqttPeer = {
		broker,
		listener,
		accepted: [],
		others: [],
		payloads: [],
		commands: [],
		link: () =>
			mqttLink({
				url: broker.url,
				clientId: 'sim-1',
				credentials: CREDENTIALS,
				sensorIds: ['hall-co2', 'hall-noise'],
				onCommand: ({ sensorId, name }) => peer.commands.push([sensorId, name]),
			}),
		async stop() {
			const noticed = listener.connected
				? new Promise<void>((resolve) => listener.once('close', resolve))
				: Promise.resolve();
			// After SIGTERM Mosquitto keeps what it acknowledged; after SIGKILL it guarantees nothing.
			await broker.kill('SIGTERM');
			await noticed;
		},
		async start() {
			await broker.restart();
			// Mosquitto ignores a SIGTERM between "running" and its main loop; once it serves a client it does not.
			if (!listener.connected) await new Promise<void>((resolve) => listener.once('connect', () => resolve()));
		},
		async close() {
			await listener.endAsync(true);
			await broker.stop();
		},
	};
	listener.on('error', () => {});
	listener.on('message', (topic, payload, { retain }) => {
		const [first, buildingId, roomId, sensorId] = topic.split('/');
		if (first !== TOPICS.telemetry) return void peer.others.push([topic, payload.toString(), retain]);
		peer.payloads.push(payload.toString());
		peer.accepted.push({ ...JSON.parse(payload.toString()), buildingId, roomId, sensorId } as DeviceReading);
	});
	await listener.subscribeAsync('#', { qos: 1 });
	return peer;
}
