import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Logger } from '@crowdvision/service-kit';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { RULES, type Rule } from '../packets/mqtt-rules.ts';
import { MqttConnection } from './mqtt-connection.ts';
import type { MqttLimits } from './mqtt-limits.ts';
import { TlsFiles, type TlsPaths } from './tls-files.ts';

/** A client that vanished without a word is noticed by TCP itself, also where it promised no keep alive. */
const PROBE_AFTER_MS = 60_000;
const TICK_MS = 1000;

interface ListenerParts {
	host: string;
	port: number;
	/** MQTT over TLS beside it, where it is wanted. */
	tls?: (TlsPaths & { port: number }) | undefined;
	limits: MqttLimits;
	logger: Logger;
	/** Whose address counts for a request that may have come through a proxy. */
	addressOf: (request: IncomingMessage) => string;
	onConnection: (connection: MqttConnection) => void;
}

/**
 * The ways to connect: TCP, TLS, and WebSocket at `/mqtt`. Counts connections, in total and by address, and cuts off
 * those that the rules forbid.
 */
export class MqttListener {
	/** Connections that were cut off, by what for. */
	readonly cuts = new Map<string, number>();
	readonly #parts: ListenerParts;
	readonly #server: Server;
	readonly #webSockets: WebSocketServer;
	readonly #tlsFiles: TlsFiles | undefined;
	#tlsServer: TlsServer | undefined;
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
		this.#tlsFiles = parts.tls && new TlsFiles(parts.tls, parts.logger);
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

	/** The port of TLS in use, once it listens there. */
	get tlsPort(): number | undefined {
		return (this.#tlsServer?.address() as { port: number } | null | undefined)?.port;
	}

	get listening(): boolean {
		return this.#server.listening && (!this.#tlsFiles || this.#tlsServer?.listening === true);
	}

	get connections(): ReadonlySet<MqttConnection> {
		return this.#connections;
	}

	/** Takes the path `/mqtt` of a server that others share. */
	attach(server: HttpServer): void {
		server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
			if (request.url?.split('?', 1)[0] !== '/mqtt') return;
			const address = this.#parts.addressOf(request);
			// That server may listen before this one does: until then nothing is taken.
			if (!this.listening || !this.#mayConnect(address)) return void socket.destroy();
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

	/**
	 * @throws Error that names the port where it is taken, and SettingsError that names the file of a certificate where
	 * it cannot be used.
	 */
	async listen(): Promise<void> {
		const { host, port, tls } = this.#parts;
		if (tls && this.#tlsFiles) {
			const server = this.#createTlsServer(this.#tlsFiles, tls.ca !== undefined);
			await listenOn(server, host, tls.port, 'MQTTS');
			this.#tlsServer = server;
			// Connections go on with what they began with; new ones get the new certificate.
			this.#tlsFiles.follow((options) => server.setSecureContext(options));
		}
		await listenOn(this.#server, host, port, 'MQTT');
		this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref();
	}

	#createTlsServer(files: TlsFiles, clientsNeedCertificates: boolean): TlsServer {
		const { connectTimeoutMs } = this.#parts.limits;
		const server = createTlsServer(
			{
				...files.read(),
				requestCert: clientsNeedCertificates,
				rejectUnauthorized: clientsNeedCertificates,
				handshakeTimeout: connectTimeoutMs,
				noDelay: true,
				keepAlive: true,
				keepAliveInitialDelay: PROBE_AFTER_MS,
				ALPNProtocols: ['mqtt'],
			},
			(socket) => this.accept(socket, socket.remoteAddress ?? ''),
		);
		server.maxConnections = this.#parts.limits.connections;
		server.on('tlsClientError', (error, socket) => {
			this.#parts.logger.debug({ address: socket.remoteAddress, err: error.message }, 'mqtt: a TLS handshake failed');
		});
		return server;
	}

	/** Takes no more connections. */
	refuse(): Promise<void> {
		this.#stopped = true;
		clearInterval(this.#ticking);
		this.#tlsFiles?.stop();
		const closed = [this.#server, this.#tlsServer].map(
			(server) => server?.listening && new Promise<void>((resolve) => server.close(() => resolve())),
		);
		return Promise.all(closed).then(() => undefined);
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
		const connection = new MqttConnection({
			stream,
			address,
			limits: this.#parts.limits,
			onCut: (rule) => this.#onCut(connection, rule),
		});
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
		if (this.#connections.size < connections && (this.#byAddress.get(address) ?? 0) < connectionsPerAddress)
			return true;
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
		let unread = 0;
		for (const connection of this.#connections) {
			connection.tick(now);
			unread += connection.unread;
		}
		if (unread > this.#parts.limits.mostUnreadInAll) this.#endFurthestBehind(unread);
	}

	/** Until half of the bound is free again, so that the next message does not end another. */
	#endFurthestBehind(unread: number): void {
		const { mostUnreadInAll } = this.#parts.limits;
		this.#parts.logger.warn(
			{ bytes: unread, allowed: mostUnreadInAll },
			'mqtt: clients read too little; those that are furthest behind are ended',
		);
		let left = unread;
		for (const connection of [...this.#connections].sort((a, b) => b.unread - a.unread)) {
			if (left <= mostUnreadInAll / 2) return;
			left -= connection.unread;
			connection.cut(RULES.unread);
		}
	}
}

function listenOn(server: Server, host: string, port: number, what: 'MQTT' | 'MQTTS'): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', (error: NodeJS.ErrnoException) => {
			const taken = `${what} port ${port} on ${host} is taken; set ${what}_PORT to another`;
			reject(new Error(error.code === 'EADDRINUSE' ? taken : `cannot listen for ${what}: ${error.message}`));
		});
		server.listen(port, host, resolve);
	});
}
