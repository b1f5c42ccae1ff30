/** A device's link to the gateway over Socket.IO. */
import type { GatewayToSensor, Outcome, SensorToGateway } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';
import {
	type Connection,
	type Credentials,
	connectionEnd,
	type Link,
	type OnCommand,
	OPEN_TIMEOUT_MS,
	UNKNOWN_COMMAND,
	type Verdict,
	verdictForError,
	withTimeout,
} from './link.ts';

/** Emits `reading` to `<url>/ingest/socket.io`; the event's callback is the acknowledgement. */
export function socketioLink(
	url: string,
	credentials: Credentials,
	onCommand: OnCommand = (_command, answer) => answer(UNKNOWN_COMMAND),
): Link {
	return { transport: 'socket.io', window: 32, open: (signal) => open(new URL(url), credentials, onCommand, signal) };
}

async function open(
	url: URL,
	credentials: Credentials,
	onCommand: OnCommand,
	signal: AbortSignal,
): Promise<Connection> {
	const socket: Socket<GatewayToSensor, SensorToGateway> = io(url.origin, {
		path: `${url.pathname.replace(/\/+$/, '')}/ingest/socket.io`,
		auth: { token: credentials.token },
		transports: ['websocket'],
		reconnection: false,
		forceNew: true,
		autoConnect: false,
		timeout: OPEN_TIMEOUT_MS,
	});
	const { closed, end } = connectionEnd();
	socket.on('disconnect', (reason) => end(reason));
	socket.on('connect_error', (error) => end(error.message));
	socket.on('command', (command, done) =>
		onCommand(command, ({ outcome, detail }) =>
			done?.({ ok: outcome === 'executed', outcome, ...(detail !== undefined && { detail }) }),
		),
	);
	const abort = () => end('stopped');
	signal.addEventListener('abort', abort, { once: true });
	try {
		const accepted = new Promise<void>((resolve) => socket.once('connect', () => resolve()));
		const refused = closed.then((reason) => Promise.reject(new Error(reason)));
		socket.connect();
		await withTimeout(OPEN_TIMEOUT_MS, 'connecting', Promise.race([accepted, refused]));
	} catch (error) {
		socket.disconnect();
		throw error;
	} finally {
		signal.removeEventListener('abort', abort);
	}
	return {
		closed,
		send: (reading) =>
			new Promise<Verdict>((resolve) => socket.emit('reading', reading, (outcome) => resolve(verdict(outcome)))),
		async close() {
			socket.disconnect();
			end('switched off');
		},
		cut(reason) {
			// Cut below Socket.IO, which would otherwise announce the disconnect.
			const transport = socket.io.engine.transport as unknown as { ws?: { terminate?: () => void } };
			if (transport.ws?.terminate) transport.ws.terminate();
			else socket.io.engine.close();
			end(reason);
			socket.disconnect();
		},
	};
}

function verdict(outcome: Outcome<{ accepted: number }> | undefined): Verdict {
	if (outcome?.ok === true) return { outcome: 'acknowledged' };
	return verdictForError(outcome?.error?.code ?? 'no answer', outcome?.error?.message ?? '');
}
