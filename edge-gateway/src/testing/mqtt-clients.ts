import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { onTestFinished } from 'vitest';
import type { GatewayWorld } from './gateway-world.ts';

/**
 * A signed-in MQTT.js client that does not come back by itself; closed when the test ends. Rejects when it is not let
 * in.
 */
export async function mqttClient(
	url: string,
	username: string,
	password: string,
	options: IClientOptions = {},
): Promise<MqttClient> {
	const client = await mqtt.connectAsync(
		url,
		{ username, password, reconnectPeriod: 0, connectTimeout: 15_000, ...options },
		false,
	);
	client.on('error', () => undefined);
	onTestFinished(() => client.endAsync(true));
	return client;
}

/** Remembers what it gets of a topic, once the subscription is granted. */
export async function heardOn(
	client: MqttClient,
	topic: string,
): Promise<{ topic: string; payload: string; retain: boolean }[]> {
	const heard: { topic: string; payload: string; retain: boolean }[] = [];
	client.on('message', (got, payload, { retain }) => heard.push({ topic: got, payload: payload.toString(), retain }));
	await client.subscribeAsync(topic, { qos: 1 });
	return heard;
}

/** An MQTT client without any manners: it sends what it is told to, packet by packet or byte by byte. */
export interface RawMqtt {
	/** Everything received so far. */
	received: Packet[];
	/** The same as bytes. */
	bytes(): Buffer;
	send(packet: Packet): void;
	sendBytes(bytes: Buffer): void;
	/** Takes the oldest packet of this kind out of `received`, waiting for it if need be. */
	next<C extends Packet['cmd']>(cmd: C): Promise<Packet & { cmd: C }>;
	/** Resolves when the other side has closed. */
	closed: Promise<void>;
	isClosed(): boolean;
	end(): void;
	/** Reads no more. */
	pause(): void;
}

export async function rawMqtt(world: GatewayWorld): Promise<RawMqtt> {
	const socket = connectTcp(world.gateway.mqttPort(), '127.0.0.1');
	const received: Packet[] = [];
	const chunks: Buffer[] = [];
	const packets = parser();
	packets.on('packet', (packet: Packet) => received.push(packet));
	// What is no MQTT 3.1.1 is looked at as bytes.
	packets.on('error', () => undefined);
	socket.on('data', (bytes) => {
		chunks.push(bytes);
		packets.parse(bytes);
	});
	socket.on('error', () => undefined);
	const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
	onTestFinished(() => void socket.destroy());
	await once(socket, 'connect');
	return {
		received,
		bytes: () => Buffer.concat(chunks),
		send: (packet) => void socket.write(generate(packet)),
		sendBytes: (bytes) => void socket.write(bytes),
		async next(cmd) {
			const found = await waitFor(cmd, () => received.find((packet) => packet.cmd === cmd));
			received.splice(received.indexOf(found), 1);
			return found as Packet & { cmd: typeof cmd };
		},
		closed,
		isClosed: () => socket.destroyed,
		end: () => void socket.destroy(),
		pause: () => void socket.pause(),
	};
}

/** A raw client that was let in. */
export async function rawSignedIn(
	world: GatewayWorld,
	username: string,
	password: string,
	clientId = 'raw',
): Promise<RawMqtt> {
	const client = await rawMqtt(world);
	client.send({
		cmd: 'connect',
		protocolId: 'MQTT',
		protocolVersion: 4,
		clean: true,
		clientId,
		keepalive: 60,
		username,
		password: Buffer.from(password),
	});
	const { returnCode } = await client.next('connack');
	if (returnCode !== 0) throw new Error(`not let in: ${returnCode}`);
	return client;
}
