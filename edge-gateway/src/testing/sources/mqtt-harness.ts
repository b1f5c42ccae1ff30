import { waitFor } from '@crowdvision/testing/wait';
import { type GatewayWorld, openGatewayWorld } from '../gateway-world.ts';
import { packetOf, str } from '../malformed-packets.ts';
import { type RawMqtt, rawSignedIn } from '../mqtt-clients.ts';
import { type SourceAnswer, type SourceHarness, type TestDevice, withLimit } from './harness.ts';

/** Devices that publish readings with QoS 1. */
export const mqttHarness: SourceHarness = {
	transport: 'mqtt',
	// MQTT 3.1.1 has no refusal: a refused message is acknowledged, and listed (MQTT-3.3.5-2).
	refusal: 'acknowledged',
	waits: true,
	limitMetric: ['gateway_rate_limited_total', { transport: 'mqtt' }],
	async open(options) {
		const world = await openGatewayWorld(withLimit(options));
		return { world, device: await mqttDevice(world, 'device'), neighbour: await mqttDevice(world, 'neighbour') };
	},
	garbage: {
		'a packet type that clients may not send': packetOf(0xf0),
		'a topic with a wildcard': packetOf(0x30, str('telemetry/#')),
		'the header of a message of 2 MiB': packetOf(0x30, str('t'), Buffer.alloc(2 * 1024 * 1024)).subarray(0, 100),
		'a payload that is no JSON': packetOf(0x30, str('telemetry/b1/hall/device'), Buffer.from('{"value":')),
	},
};

async function mqttDevice(world: GatewayWorld, sensorId: string): Promise<TestDevice> {
	const token = await world.token(sensorId, { sensorIds: [sensorId], buildingId: 'b1' });
	const connectDevice = () => rawSignedIn(world, sensorId, token, 'only');
	let client = await connectDevice();
	let lastId = 0;
	const publish = (reading: object): Promise<SourceAnswer> => {
		const messageId = ++lastId;
		const payload = JSON.stringify(reading);
		const topic = `telemetry/b1/hall/${sensorId}`;
		client.send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false });
		return acknowledged(client, messageId);
	};
	return {
		sensorId,
		send: publish,
		sendInOrder: (readings) => Promise.all(readings.map(publish)),
		async sendBytes(bytes) {
			client.sendBytes(bytes);
			client.send({ cmd: 'pingreq' });
			await waitFor('an answer or the end', () => client.isClosed() || client.received.some(isPong));
		},
		end: async () => client.end(),
		async reconnect() {
			client.end();
			client = await connectDevice();
		},
	};
}

const isPong = ({ cmd }: { cmd?: string }) => cmd === 'pingresp';

async function acknowledged(client: RawMqtt, messageId: number): Promise<SourceAnswer> {
	const hasPuback = () => client.received.some((packet) => packet.cmd === 'puback' && packet.messageId === messageId);
	await waitFor('PUBACK or the end of the connection', () => hasPuback() || client.isClosed(), 60_000);
	return hasPuback() ? 'acknowledged' : 'no answer';
}
