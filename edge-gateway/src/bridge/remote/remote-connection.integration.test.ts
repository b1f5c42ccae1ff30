import { createServer, type Socket } from 'node:net';
import { listen } from '@crowdvision/service-kit';
import { generate, type Packet, parser } from 'mqtt-packet';
import { expect, it, onTestFinished } from 'vitest';
import { RemoteConnection } from './remote-connection.ts';

/** A server that parses MQTT and sends the answers that the test gives. */
async function broker(answer: (packet: Packet) => Packet | undefined): Promise<string> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		const packets = parser();
		packets.on('packet', (packet) => {
			const reply = answer(packet);
			if (reply) socket.write(generate(reply));
		});
		socket.on('data', (bytes) => packets.parse(bytes));
		socket.on('error', () => undefined);
	});
	onTestFinished(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return `mqtt://127.0.0.1:${await listen(server as never, 0, '127.0.0.1')}`;
}

it('a connection to a remote ends when the remote answers pings but not a SUBSCRIBE', async () => {
	let pings = 0;
	const url = await broker((packet) => {
		if (packet.cmd === 'connect') return { cmd: 'connack', returnCode: 0, sessionPresent: false };
		if (packet.cmd !== 'pingreq') return undefined;
		pings++;
		return { cmd: 'pingresp' };
	});
	const options = {
		clientId: 'b',
		clean: true,
		sessionExpiryMs: 0,
		keepAliveMs: 100,
		username: undefined,
		password: undefined,
		protocol: 4,
		bridgeBit: false,
		maxPacketSize: 1024,
		will: undefined,
	} as const;
	const to = { url, tls: {}, bindAddress: undefined, timeoutMs: 1000 };
	const connection = await RemoteConnection.open(to, options, new AbortController().signal);
	connection.listen(() => undefined);
	await expect(connection.subscribe([{ topic: 'a', qos: 1 }])).rejects.toThrow('no SUBACK within 1000 ms');
	expect(await connection.closed).toBe('no SUBACK within 1000 ms');
	expect(pings).toBeGreaterThan(0);
});
