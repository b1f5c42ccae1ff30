import { waitFor } from '@crowdvision/testing/wait';
import type { MqttClient } from 'mqtt';
import type { GatewayWorld } from './gateway-world.ts';
import { mqttClient } from './mqtt-clients.ts';

/** A device that repeats itself, signed in at a gateway over MQTT. */
export interface ShapedDevice {
	id: string;
	sensorId: string;
	topic: string;
	token: string;
	client: MqttClient;
	/** Sends one more reading. Resolves when it is acknowledged, with whether it was taken by its shape. */
	send(): Promise<boolean>;
	/** Sends readings without waiting. Resolves when all are acknowledged. */
	sendMany(count: number): Promise<unknown>;
	/** The stored values: of the n-th reading that was sent, 400 + n. */
	values(): Promise<number[]>;
	/** Number of readings that were sent. */
	sent(): number;
}

let lastId = 0;

/** A device without shapes yet. */
export async function repeatingDevice(world: GatewayWorld): Promise<ShapedDevice> {
	const id = `v-${++lastId}`;
	const sensorId = `g-${lastId}`;
	const topic = `telemetry/b1/hall/${sensorId}`;
	const token = await world.token(id, { sensorIds: [sensorId] });
	const client = await mqttClient(world.mqttUrl, id, token);
	let seq = 0;
	const publish = () =>
		client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400 + seq, seq: seq++ }), { qos: 1 });
	const shaped = () => world.metric('gateway_mqtt_fast_lane_total', { way: 'shape' });
	return {
		...{ id, sensorId, topic, token, client },
		async send() {
			const before = await shaped();
			await publish();
			return (await shaped()) > before;
		},
		sendMany: (count) => Promise.all(Array.from({ length: count }, publish)),
		values: async () => (await world.stored()).filter((one) => one.sensorId === sensorId).map(({ value }) => value),
		sent: () => seq,
	};
}

/** A device whose last reading was stored by its shape. */
export async function deviceWithShape(world: GatewayWorld): Promise<ShapedDevice> {
	const device = await repeatingDevice(world);
	await waitFor('a reading by its shape', () => device.send());
	return device;
}
