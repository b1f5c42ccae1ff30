import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '@crowdvision/service-kit';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { MqttConnection } from './mqtt-connection.ts';
import type { MqttLimits } from './mqtt-limits.ts';
import { RULES, type Rule } from './mqtt-rules.ts';

/** A client that vanished without a word is noticed by TCP itself, also where it promised no keep alive. */
const PROBE_AFTER_MS = 60_000;
const TICK_MS = 1000;

interface ListenerParts {
	host: string;
	port: number;
	limits: MqttLimits;
	logger: Logger;
	/** Whose address counts for a request that may have come through a proxy. */
	addressOf: (request: IncomingMessage) => string;
	onConnection: (connection: MqttConnection) => void;
}

/** The ways to connect: TCP, and WebSocket at `/mqtt`. Counts connections, in total and by address, and cuts off those that the rules forbid. */
export class MqttListener {
	/** Connections that were cut off, by what for. */
	readonly cuts = new Map<string, number>();
	readonly #parts: ListenerParts;
	readonly #server: Server;
	readonly #webSockets: WebSocketServer;
	readonly #connections = new Set<MqttConnection>();
	readonly #byAddress = new Map<string, number>();
	#ticking: NodeJS.Timeout | undefined;
	#stopped = false;

	constructor(parts: ListenerParts) {
		this.#parts = parts;
		// Without Nagle's delay, or PUBACKs wait for company that the sender in turn waits for.
		this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_AFTER_MS }, (socket) =>
			this.accept(socket, socket.remoteAddress ?? ''),
		);
		this.#webSockets = new WebSocketServer({
			noServer: true,
			maxPayload: parts.limits.packet.publish,
			handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
		});
	}

	/** The port in use, once it listens. */
	get port(): number {
		return (this.#server.address() as { port: number }).port;
	}

	get listening(): boolean {
		return this.#server.listening;
	}

	get connections(): ReadonlySet<MqttConnection> {
		return this.#connections;
	}

	/** Takes the path `/mqtt` of a server that others share. */
	attach(server: HttpServer): void {
		server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
			if (request.url?.split('?', 1)[0] !== '/mqtt') return;
			const address = this.#parts.addressOf(request);
			if (!this.#mayConnect(address)) return void socket.destroy();
			socket.setNoDelay(true);
			socket.setKeepAlive(true, PROBE_AFTER_MS);
			this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
				const connection = this.accept(createWebSocketStream(webSocket), address);
				webSocket.on('message', (_bytes, isBinary) => {
					if (!isBinary) connection?.cut(RULES.textFrame);
				});
			});
		});
	}

	/** @throws Error that names the port, where it is taken. */
	async listen(): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			const { host, port } = this.#parts;
			this.#server.once('error', (error: NodeJS.ErrnoException) => {
				const taken = `MQTT port ${port} on ${host} is taken; set MQTT_PORT to another`;
				reject(new Error(error.code === 'EADDRINUSE' ? taken : `cannot listen for MQTT: ${error.message}`));
			});
			this.#server.listen(port, host, resolve);
		});
		this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref();
	}

	/** Takes no more connections. */
	refuse(): Promise<void> {
		this.#stopped = true;
		clearInterval(this.#ticking);
		return this.#server.listening ? new Promise((resolve) => this.#server.close(() => resolve())) : Promise.resolve();
	}

	/** Ends those that are left. */
	end(): void {
		for (const { stream } of this.#connections) stream.destroy();
	}

	/** Gives a connection on, or ends it where there are too many. */
	accept(stream: Duplex, address: string): MqttConnection | undefined {
		stream.on('error', () => undefined);
		if (!this.#mayConnect(address)) {
			stream.destroy();
			return undefined;
		}
		const connection = new MqttConnection({ stream, address, limits: this.#parts.limits, onCut: (rule) => this.#onCut(connection, rule) });
		this.#connections.add(connection);
		this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
		stream.on('close', () => {
			this.#connections.delete(connection);
			const left = this.#byAddress.get(address)! - 1;
			if (left > 0) this.#byAddress.set(address, left);
			else this.#byAddress.delete(address);
		});
		connection.watch();
		this.#parts.onConnection(connection);
		return connection;
	}

	#mayConnect(address: string): boolean {
		if (this.#stopped) return false;
		const { connections, connectionsPerAddress } = this.#parts.limits;
		if (this.#connections.size < connections && (this.#byAddress.get(address) ?? 0) < connectionsPerAddress) return true;
		this.#count('too many connections');
		return false;
	}

	#onCut({ address }: MqttConnection, { statement, text }: Rule): void {
		this.#count(statement);
		this.#parts.logger.info({ address, statement, wrong: text }, 'mqtt: a connection was cut off');
	}

	#count(what: string): void {
		this.cuts.set(what, (this.cuts.get(what) ?? 0) + 1);
	}

	#tick(): void {
		const now = performance.now();
		for (const connection of this.#connections) connection.tick(now);
	}
}
