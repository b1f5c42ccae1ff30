import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { ClosingResponse } from './closing-response.ts';

/** How long a client may take to send a request, in ms. Node answers 408 and closes within half a minute after it. */
const REQUEST_TIMEOUT_MS = 120_000;

/** An HTTP server that reads no body further than its answer needs. */
export const createServer = (listener?: RequestListener): Server =>
	createHttpServer({ ServerResponse: ClosingResponse, requestTimeout: REQUEST_TIMEOUT_MS }, listener);

/** Upgraded connections, which the HTTP server waits for but cannot close itself. */
const socketsOf = new WeakMap<Server, Set<Socket>>();

/**
 * Host and port of a URL at which this machine reaches a server that listens on `host`, an IP address or a name. A
 * server of all addresses is reached by loopback; a zone id is written as RFC 6874 has it.
 */
export function authorityOf(host: string, port: number): string {
	const reached = host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host;
	return `${reached.includes(':') ? `[${reached.replace('%', '%25')}]` : reached}:${port}`;
}

/** Opens `server` and resolves with its port. Rejects with a sentence for a person when it cannot. */
export function listen(server: Server, port: number, host: string): Promise<number> {
	return new Promise((resolve, reject) => {
		server.once('error', (error: NodeJS.ErrnoException) => {
			reject(
				new Error(
					error.code === 'EADDRINUSE'
						? `port ${port} on ${host} is in use; set another one`
						: `cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${error.message}`,
				),
			);
		});
		const sockets = new Set<Socket>();
		socketsOf.set(server, sockets);
		server.on('connection', (socket: Socket) => {
			sockets.add(socket);
			socket.once('close', () => sockets.delete(socket));
		});
		server.listen(port, host, () => resolve((server.address() as { port: number }).port));
	});
}

/** Stops accepting, lets requests under way finish, and cuts the remaining connections after `graceMs`. */
export function closeServer(server: Server, graceMs = 3000): Promise<void> {
	return new Promise((resolve) => {
		if (!server.listening) return resolve();
		const force = setTimeout(() => {
			server.closeAllConnections();
			for (const socket of socketsOf.get(server) ?? []) socket.destroy();
		}, graceMs);
		server.close(() => {
			clearTimeout(force);
			resolve();
		});
		server.closeIdleConnections();
	});
}
