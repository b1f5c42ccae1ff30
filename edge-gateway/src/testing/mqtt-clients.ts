import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { onTestFinished } from 'vitest';
import type { GatewayWorld } from './gateway-world.ts';

/**
 * A signed-in MQTT.js client that does not reconnect; closed when the test ends. @throws when the sign-in is refused
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

/** Subscribes to a filter; resolves once it is granted, with the list to which the client's messages are added. */
export async function messagesOn(
	client: MqttClient,
	filter: string,
): Promise<{ topic: string; payload: string; retain: boolean }[]> {
	const messages: { topic: string; payload: string; retain: boolean }[] = [];
	client.on('message', (topic, payload, { retain }) => messages.push({ topic, payload: payload.toString(), retain }));
	await client.subscribeAsync(filter, { qos: 1 });
	return messages;
}

/** An MQTT client that sends any packets or bytes, valid or not, and does nothing by itself. */
export interface RawMqtt {
	/** The packets received so far, without those that `next` has taken. */
	received: Packet[];
	/** All bytes received so far. */
	bytes(): Buffer;
	send(packet: Packet): void;
	sendBytes(bytes: Buffer): void;
	/** Waits for a packet of this kind, and takes the oldest out of `received`. */
	next<C extends Packet['cmd']>(cmd: C): Promise<Packet & { cmd: C }>;
	/** Resolves when the connection is closed. */
	closed: Promise<void>;
	isClosed(): boolean;
	end(): void;
	/** Stops reading. */
	pause(): void;
}

/** Opens a TCP connection to the gateway's MQTT port; closed after the test. */
export async function rawMqtt(world: GatewayWorld): Promise<RawMqtt> {
	const socket = connectTcp(world.gateway.mqttPort(), '127.0.0.1');
	const received: Packet[] = [];
	const chunks: Buffer[] = [];
	const packets = parser();
	packets.on('packet', (packet: Packet) => received.push(packet));
	// Tests look at the bytes of answers that are no MQTT 3.1.1.
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

/** A raw client that has signed in with a clean session. @throws when the sign-in is refused */
export async function rawSignedIn(
	world: GatewayWorld,
	username: string,
	password: string,
	clientId = 'raw',
	keepalive = 60,
): Promise<RawMqtt> {
	const client = await rawMqtt(world);
	client.send({
		cmd: 'connect',
		protocolId: 'MQTT',
		protocolVersion: 4,
		clean: true,
		clientId,
		keepalive,
		username,
		password: Buffer.from(password),
	});
	const { returnCode } = await client.next('connack');
	if (returnCode !== 0) throw new Error(`CONNACK with return code ${returnCode}`);
	return client;
}
