import type { GatewayToSensor, Outcome, SensorToGateway } from '@crowdvision/contracts';
import { within } from '@crowdvision/testing/wait';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { onTestFinished } from 'vitest';

export type SensorSocket = Socket<GatewayToSensor, SensorToGateway>;
/** The gateway's answer to an event `reading`. */
export type Taken = Outcome<{ accepted: number }>;

/**
 * A sensor's Socket.IO client that does not reconnect; closed when the test ends.
 * @throws the reason with which the connection is refused
 */
export async function sensorSocket(
	url: string,
	auth: object,
	options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<SensorSocket> {
	const socket: SensorSocket = io(url, {
		path: '/ingest/socket.io',
		auth,
		reconnection: false,
		forceNew: true,
		...options,
	});
	onTestFinished(() => void socket.disconnect());
	const connected = new Promise<void>((resolve, reject) => {
		socket.once('connect', resolve);
		socket.once('connect_error', reject);
	});
	await within('the connection', connected);
	return socket;
}

/** Sends readings; resolves with the gateway's answer. */
export function sendReadings(socket: SensorSocket, readings: unknown): Promise<Taken> {
	return within('the answer', new Promise((resolve) => socket.emit('reading', readings, resolve)));
}
