import type { DashboardToServer, ReadingWithCursor, ServerToDashboard } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';

/**
 * A dashboard as the page has it: comes back by itself after every cut, with the cursor of the last thing it saw, and
 * notes everything.
 */
export interface Follower {
	/** Ids of the readings, in the order they came. */
	readonly ids: string[];
	/** How often it was told that it gets latest values only. */
	readonly superseded: object[];
	/** How often it was let in. */
	readonly connections: number;
	close(): void;
}

export function follow(url: string, token: string, buildingId: string): Follower {
	const socket: Socket<ServerToDashboard, DashboardToServer> = io(url, {
		auth: { token },
		transports: ['websocket'],
		forceNew: true,
		reconnectionDelay: 50,
		reconnectionDelayMax: 300,
	});
	const follower = {
		ids: [] as string[],
		superseded: [] as object[],
		connections: 0,
		close: () => void socket.close(),
	};
	let cursor: string | undefined;
	const subscribe = async () => {
		const request = { buildingId, ...(cursor !== undefined && { cursor }) };
		const outcome = await socket
			.timeout(5000)
			.emitWithAck('subscribe', request)
			.catch(() => ({ ok: false as const }));
		if (outcome.ok) {
			follower.connections++;
			cursor ??= outcome.cursor;
		} else if (socket.connected) {
			setTimeout(subscribe, 100);
		}
	};
	socket.on('connect', subscribe);
	// What the service itself ends, socket.io does not take up again.
	socket.on('disconnect', () => socket.active || setTimeout(() => socket.connect(), 100));
	socket.on('connect_error', () => socket.active || setTimeout(() => socket.connect(), 100));
	socket.on('telemetry', (readings: ReadingWithCursor[]) => {
		for (const reading of readings) {
			follower.ids.push(reading.id);
			cursor = reading.cursor;
		}
	});
	socket.on('superseded', (event) => follower.superseded.push(event));
	return follower;
}
