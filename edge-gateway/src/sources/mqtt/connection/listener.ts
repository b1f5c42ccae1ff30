/** Accepts MQTT connections over TCP, TLS and WebSocket. */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Logger } from '@crowdvision/service-kit';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { RULES, type Rule } from '../packets/rules.ts';
import { MqttConnection } from './connection.ts';
import type { MqttLimits } from './limits.ts';
import { TlsFiles, type TlsPaths } from './tls-files.ts';

/** TCP keep-alive finds clients that vanished, also those whose CONNECT asks for no keep alive. */
const TCP_KEEP_ALIVE_MS = 60_000;
const TICK_MS = 1000;

interface ListenerParts {
	host: string;
	port: number;
	/** For MQTT over TLS, in addition to TCP. */
	tls?: (TlsPaths & { port: number }) | undefined;
	limits: MqttLimits;
	logger: Logger;
	/** The client's address for a request that may have come through a proxy. */
	addressOf: (request: IncomingMessage) => string;
	onConnection: (connection: MqttConnection) => void;
}

/**
 * Accepts MQTT connections over TCP, TLS, and WebSocket at `/mqtt`. Limits their number, in total and by address, and
 * ends those that break a rule.
 */
export class MqttListener {
	/** How many connections were ended, by the statement that was broken. */
	readonly cuts = new Map<string, number>();
	readonly #parts: ListenerParts;
	readonly #server: Server;
	readonly #webSockets: WebSocketServer;
	readonly #tlsFiles: TlsFiles | undefined;
	#tlsServer: TlsServer | undefined;
	readonly #connections = new Set<MqttConnection>();
	readonly #byAddress = new Map<string, number>();
	#ticking: NodeJS.Timeout | undefined;
	#isClosed = false;

	constructor(parts: ListenerParts) {
		this.#parts = parts;
		// With Nagle's algorithm a PUBACK would wait for more data, while the client waits for the PUBACK.
		this.#server = createServer(
			{ noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
			(socket) => this.accept(socket, socket.remoteAddress ?? ''),
		);
		this.#tlsFiles = parts.tls && new TlsFiles(parts.tls, parts.logger);
		this.#webSockets = new WebSocketServer({
			noServer: true,
			maxPayload: parts.limits.packet.publish,
			handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
		});
	}

	/** The port it listens on, once it does. */
	get port(): number {
		return (this.#server.address() as { port: number }).port;
	}

	/** The port it listens on for TLS, once it does. */
	get tlsPort(): number | undefined {
		return (this.#tlsServer?.address() as { port: number } | null | undefined)?.port;
	}

	get listening(): boolean {
		return this.#server.listening && (!this.#tlsFiles || this.#tlsServer?.listening === true);
	}

	get connections(): ReadonlySet<MqttConnection> {
		return this.#connections;
	}

	/** Serves the path `/mqtt` of an HTTP server that other parts share. */
	attach(server: HttpServer): void {
		server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
			if (request.url?.split('?', 1)[0] !== '/mqtt') return;
			const address = this.#parts.addressOf(request);
			// The HTTP server may listen before this listener does.
			if (!this.listening || !this.#mayConnect(address)) return void socket.destroy();
			socket.setNoDelay(true);
			socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
			this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
				const connection = this.accept(createWebSocketStream(webSocket), address);
				webSocket.on('message', (_bytes, isBinary) => {
					if (!isBinary) connection?.cut(RULES.textFrame);
				});
			});
		});
	}

	/**
	 * @throws Error when a port is taken, which it names
	 * @throws SettingsError when a certificate cannot be used; it names the file
	 */
	async listen(): Promise<void> {
		const { host, port, tls } = this.#parts;
		if (tls && this.#tlsFiles) {
			const server = this.#createTlsServer(this.#tlsFiles, tls.ca !== undefined);
			await listenOn(server, host, tls.port, 'MQTTS');
			this.#tlsServer = server;
			// Open connections keep the certificate they began with; new ones get the new certificate.
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
				keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
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

	/** Accepts no more connections. Resolves when the ports are free, which is after the last connection has ended. */
	close(): Promise<void> {
		this.#isClosed = true;
		clearInterval(this.#ticking);
		this.#tlsFiles?.stop();
		const closed = [this.#server, this.#tlsServer].map(
			(server) => server?.listening && new Promise<void>((resolve) => server.close(() => resolve())),
		);
		return Promise.all(closed).then(() => undefined);
	}

	/** Ends the connections that are still open. */
	endConnections(): void {
		for (const { stream } of this.#connections) stream.destroy();
	}

	/** Passes a connection on, or ends it when there are too many. */
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
		if (this.#isClosed) return false;
		const { connections, connectionsPerAddress } = this.#parts.limits;
		if (this.#connections.size < connections && (this.#byAddress.get(address) ?? 0) < connectionsPerAddress)
			return true;
		this.#count('too many connections');
		return false;
	}

	#onCut({ address }: MqttConnection, { statement, text }: Rule): void {
		this.#count(statement);
		this.#parts.logger.info({ address, statement, reason: text }, 'mqtt: a connection was ended');
	}

	#count(statement: string): void {
		this.cuts.set(statement, (this.cuts.get(statement) ?? 0) + 1);
	}

	#tick(): void {
		const now = performance.now();
		let unread = 0;
		for (const connection of this.#connections) {
			connection.tick(now);
			unread += connection.unread;
		}
		if (unread > this.#parts.limits.maxTotalUnread) this.#endFurthestBehind(unread);
	}

	/** Frees half of the limit, so that the next message does not end another connection. */
	#endFurthestBehind(unread: number): void {
		const { maxTotalUnread } = this.#parts.limits;
		this.#parts.logger.warn(
			{ bytes: unread, allowed: maxTotalUnread },
			'mqtt: clients have too much unread data; the connections that are furthest behind are ended',
		);
		let left = unread;
		for (const connection of [...this.#connections].sort((a, b) => b.unread - a.unread)) {
			if (left <= maxTotalUnread / 2) return;
			left -= connection.unread;
			connection.cut(RULES.unread);
		}
	}
}

function listenOn(server: Server, host: string, port: number, what: 'MQTT' | 'MQTTS'): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', (error: NodeJS.ErrnoException) => {
			const taken = `${what} port ${port} on ${host} is taken; set ${what}_PORT to another port`;
			reject(new Error(error.code === 'EADDRINUSE' ? taken : `cannot listen for ${what}: ${error.message}`));
		});
		server.listen(port, host, resolve);
	});
}
