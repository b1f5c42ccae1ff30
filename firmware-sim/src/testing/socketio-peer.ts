import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayToSensor, Outcome, SensorToGateway } from '@crowdvision/contracts';
import { Server } from 'socket.io';
import { socketioLink } from '../links/socketio.ts';
import type { DeviceReading } from '../reading.ts';
import { CREDENTIALS, type Peer } from './peer.ts';

export interface SocketioPeer extends Peer {
	readonly url: string;
	/** The token that it accepts. */
	token: string;
	/** Decides the answer to a reading; undefined means no answer. Only an `ok` counts as accepted. */
	answer: (reading: DeviceReading) => Outcome<{ accepted: number }> | undefined;
	/** Sends a command to every device, and resolves with their answers. */
	command(name: string): Promise<unknown[]>;
}

type Io = Server<SensorToGateway, GatewayToSensor>;

/** A Socket.IO server that accepts the event `reading` at /ingest/socket.io. */
export async function socketioPeer(): Promise<SocketioPeer> {
	let running: { http: HttpServer; io: Io } | undefined;
	let port = 0;
	const peer: SocketioPeer = {
		accepted: [],
		token: CREDENTIALS.token,
		answer: () => ({ ok: true, accepted: 1 }),
		get url() {
			return `http://127.0.0.1:${port}`;
		},
		link: () => socketioLink(peer.url, CREDENTIALS),
		command: async (name) => {
			const sockets = [...(running?.io.sockets.sockets.values() ?? [])];
			const command = { id: 'c1', sensorId: 'hall-co2', name, deadline: Date.now() + 10_000, ttlMs: 10_000 };
			return Promise.all(sockets.map((socket) => new Promise((resolve) => socket.emit('command', command, resolve))));
		},
		async start() {
			const http = createServer();
			const io: Io = new Server(http, { path: '/ingest/socket.io', serveClient: false });
			io.use((socket, next) =>
				next(socket.handshake.auth.token === peer.token ? undefined : new Error('the token is not valid')),
			);
			io.on('connection', (socket) => {
				socket.on('reading', (reading, done) => {
					const answer = peer.answer(reading as DeviceReading);
					if (!answer) return;
					if (answer.ok) peer.accepted.push(reading as DeviceReading);
					done(answer);
				});
			});
			await new Promise<void>((resolve, reject) => http.once('error', reject).listen(port, '127.0.0.1', resolve));
			port = (http.address() as AddressInfo).port;
			running = { http, io };
		},
		async stop() {
			const stopped = running;
			running = undefined;
			if (!stopped) return;
			const closed = stopped.io.close();
			stopped.http.closeAllConnections();
			await closed;
		},
		close: () => peer.stop(),
	};
	await peer.start();
	return peer;
}
