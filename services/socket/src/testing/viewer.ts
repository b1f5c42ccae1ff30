import type { DashboardToServer, ReadingWithCursor, ServerToDashboard } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';

/**
 * A dashboard that reconnects by itself with the cursor of the last reading, like the browser's, and records what it is
 * shown.
 */
export interface Viewer {
	/** The readings it was shown, in order. */
	readonly shown: readonly ReadingWithCursor[];
	/** The spans of which it got the latest values only. `index` is the number of readings shown before. */
	readonly superseded: readonly { from: string | undefined; cursor: string; index: number }[];
	/** Number of connections so far. */
	readonly connections: number;
	close(): void;
}

export function openViewer(url: string, options: { token: string; buildingId: string; cursor?: string }): Viewer {
	const { token, buildingId } = options;
	let { cursor } = options;
	let connections = 0;
	const shown: ReadingWithCursor[] = [];
	const superseded: { from: string | undefined; cursor: string; index: number }[] = [];
	const socket: Socket<ServerToDashboard, DashboardToServer> = io(url, {
		transports: ['websocket'],
		forceNew: true,
		auth: { token },
		reconnectionDelay: 100,
		reconnectionDelayMax: 500,
		timeout: 5000,
	});
	const subscribe = () => {
		socket
			.timeout(5000)
			.emitWithAck('subscribe', { buildingId, ...(cursor !== undefined && { cursor }) })
			.then((outcome) => {
				if (outcome.ok) cursor ??= outcome.cursor;
				else retry();
			})
			.catch(retry);
	};
	const retry = () => {
		if (socket.connected) setTimeout(subscribe, 200);
	};
	socket.on('connect', () => {
		connections++;
		subscribe();
	});
	socket.on('disconnect', () => {
		// Socket.IO does not reconnect by itself when the server has closed the connection.
		if (!socket.active) setTimeout(() => socket.connect(), 200);
	});
	socket.on('telemetry', (readings) => {
		shown.push(...readings);
		cursor = readings.at(-1)!.cursor;
	});
	socket.on('ended', () => subscribe());
	socket.on('superseded', (event) => {
		superseded.push({ from: event.from, cursor: event.cursor, index: shown.length });
		cursor = event.cursor;
	});
	return {
		shown,
		superseded,
		get connections() {
			return connections;
		},
		close: () => socket.close(),
	};
}
