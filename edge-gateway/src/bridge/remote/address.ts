/** Connects to a remote broker over TCP, TLS or WebSocket. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, rootCertificates } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import { filled } from '../../options.ts';
import { TlsConfig } from '../config/bridge-config.ts';

const PORTS: Record<string, number> = {
	'mqtt:': 1883,
	'tcp:': 1883,
	'mqtts:': 8883,
	'ssl:': 8883,
	'ws:': 80,
	'wss:': 443,
};
const ENCRYPTED = new Set(['mqtts:', 'ssl:', 'wss:']);

/** The address of a broker, and how to connect to it. */
export interface DialOptions {
	url: string;
	tls: TlsConfig;
	bindAddress: string | undefined;
	timeoutMs: number;
}

/** The URL for logs and reports, without parts that could hold a secret. */
export function displayUrl(url: string): string {
	const { protocol, host, pathname } = new URL(url);
	return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/**
 * Opens a stream to a broker over TCP, TLS or WebSocket. Certificates are read for each connection, so a renewed one is
 * used from the next connection on.
 * @throws Error with the reason, also after `timeoutMs` or when `signal` aborts
 */
export async function dial({ url, tls, bindAddress, timeoutMs }: DialOptions, signal: AbortSignal): Promise<Duplex> {
	const { protocol, hostname, port } = new URL(url);
	const host = hostname.replace(/^\[|\]$/g, '');
	const local = bindAddress === undefined ? {} : { localAddress: bindAddress };
	const target = { host, port: Number(port) || PORTS[protocol]!, ...local };
	const encryption = ENCRYPTED.has(protocol) ? encryptionOf(tls, host) : {};
	const giveUp = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
	const failed = () =>
		signal.aborted
			? new Error('stopped')
			: new Error(`no connection to ${target.host}:${target.port} within ${timeoutMs} ms`);
	if (protocol.startsWith('ws')) {
		// The stream must exist before the handshake ends: a broker may send its CONNACK with the last bytes of it.
		const socket = new WebSocket(url, ['mqtt'], { ...encryption, ...local, handshakeTimeout: timeoutMs });
		const stream = createWebSocketStream(socket);
		await opened(socket, stream, 'open', giveUp, failed);
		return stream;
	}
	const socket = ENCRYPTED.has(protocol) ? connectTls({ ...target, ...encryption }) : connectTcp(target);
	socket.setNoDelay(true);
	await opened(socket, socket, ENCRYPTED.has(protocol) ? 'secureConnect' : 'connect', giveUp, failed);
	return socket;
}

/** Resolves on the first `event`. @throws Error when the stream fails, or `failed()` when `giveUp` aborts before */
function opened(
	source: { once(event: string, listener: (error: Error) => void): unknown },
	stream: Duplex,
	event: string,
	giveUp: AbortSignal,
	failed: () => Error,
): Promise<void> {
	return new Promise((resolve, reject) => {
		const finish = (settle: () => void) => {
			giveUp.removeEventListener('abort', onGiveUp);
			settle();
		};
		const onGiveUp = () => {
			stream.on('error', () => undefined);
			stream.destroy();
			finish(() => reject(failed()));
		};
		if (giveUp.aborted) return onGiveUp();
		giveUp.addEventListener('abort', onGiveUp, { once: true });
		source.once(event, () => finish(resolve));
		stream.once('error', (error) => finish(() => reject(error)));
	});
}

function encryptionOf(tls: TlsConfig, host: string): ConnectionOptions {
	const file = (path: string) => readFileSync(path);
	const ca = tls.ca === undefined ? undefined : [file(tls.ca), ...(tls.systemRoots ? rootCertificates : [])];
	const { minVersion, insecure } = filled(TlsConfig, tls);
	const serverName = tls.serverName ?? (isIP(host) ? undefined : host);
	return {
		minVersion,
		rejectUnauthorized: !insecure,
		...(ca && { ca }),
		...(tls.cert !== undefined && { cert: file(tls.cert) }),
		...(tls.key !== undefined && { key: file(tls.key) }),
		...(tls.alpn !== undefined && { ALPNProtocols: [tls.alpn] }),
		...(serverName !== undefined && { servername: serverName }),
	};
}
