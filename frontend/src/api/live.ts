import type { DashboardToServer, ServerToDashboard } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';
import { refreshSession } from './endpoints.ts';

/** `since` is when it became so, epoch ms by this device's clock. */
export interface LiveStatus {
	state: 'connecting' | 'live' | 'reconnecting';
	since: number;
}

export interface LiveHandlers extends Omit<ServerToDashboard, 'ended' | 'expiring'> {
	status(status: LiveStatus): void;
	/** The session is over, or the building is not to be had: asking again changes nothing. */
	refused(code: string): void;
	/** Connected, for the first time or again: what is not resumed by cursor is to be asked for again. */
	connected(): void;
}

export interface LiveConnection {
	/** Subscribes to a building from `cursor()` on, now and after each reconnect. Replaces the one followed before. */
	follow(buildingId: string, cursor: () => string | undefined): void;
	unfollow(): void;
	close(): void;
}

const ANSWER_MS = 10_000;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15_000;

/** Opens the dashboard's Socket.IO connection, with the session cookie, and keeps it open until `close`. */
export function connectLive(handlers: LiveHandlers): LiveConnection {
	const socket: Socket<ServerToDashboard, DashboardToServer> = io({
		path: '/socket.io',
		transports: ['websocket', 'polling'],
		tryAllTransports: true,
		reconnectionDelay: FIRST_WAIT_MS,
		reconnectionDelayMax: MOST_WAIT_MS,
		randomizationFactor: 0.5,
	});
	let followed: { buildingId: string; cursor: () => string | undefined } | undefined;
	let status: LiveStatus = { state: 'connecting', since: Date.now() };
	let failures = 0;
	let retry: ReturnType<typeof setTimeout> | undefined;

	const become = (state: LiveStatus['state']) => {
		if (state === status.state) return;
		status = { state, since: Date.now() };
		handlers.status(status);
	};

	const later = (run: () => void) => {
		clearTimeout(retry);
		const ceiling = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
		failures += 1;
		retry = setTimeout(run, ceiling / 2 + (Math.random() * ceiling) / 2);
	};

	const subscribe = () => {
		const wanted = followed;
		if (!socket.connected) return;
		if (!wanted) return become('live');
		const { buildingId } = wanted;
		const cursor = wanted.cursor();
		socket
			.timeout(ANSWER_MS)
			.emitWithAck('subscribe', cursor === undefined ? { buildingId } : { buildingId, cursor })
			.then((outcome) => {
				if (followed !== wanted) return;
				if (outcome.ok) {
					failures = 0;
					return become('live');
				}
				const { code } = outcome.error;
				if (code === 'unauthenticated' || code === 'forbidden' || code === 'not_found') handlers.refused(code);
				become('reconnecting');
				later(subscribe);
			})
			.catch(() => {
				if (followed !== wanted || !socket.connected) return;
				become('reconnecting');
				later(subscribe);
			});
	};

	socket.on('connect', () => {
		clearTimeout(retry);
		handlers.connected();
		subscribe();
	});
	socket.on('disconnect', () => {
		if (status.state === 'live') become('reconnecting');
		// After a disconnect that the service asked for, socket.io does not come back by itself.
		if (!socket.active) later(() => socket.connect());
	});
	socket.on('connect_error', (error: Error & { data?: { code?: string; error?: { code?: string } } }) => {
		if (status.state === 'live') become('reconnecting');
		const code = error.data?.code ?? error.data?.error?.code;
		if (code === 'unauthenticated') handlers.refused(code);
		if (!socket.active) later(() => socket.connect());
	});
	socket.on('telemetry', (readings) => handlers.telemetry(readings));
	socket.on('notification', (alert) => handlers.notification(alert));
	socket.on('device', (event) => handlers.device(event));
	socket.on('superseded', (event) => handlers.superseded(event));
	// Asked for again: it may only have been lost for a moment, and else the refusal says so.
	socket.on('ended', ({ buildingId }) => {
		if (followed?.buildingId === buildingId) subscribe();
	});
	// Where that fails the connection ends with the session, and the reconnect says why.
	socket.on('expiring', () => {
		refreshSession()
			.then(({ token }) => socket.timeout(ANSWER_MS).emitWithAck('renew', { token }))
			.catch(() => {});
	});

	return {
		follow(buildingId, cursor) {
			clearTimeout(retry);
			if (followed && followed.buildingId !== buildingId && socket.connected)
				socket.emit('unsubscribe', { buildingId: followed.buildingId }, () => {});
			followed = { buildingId, cursor };
			subscribe();
		},
		unfollow() {
			clearTimeout(retry);
			if (followed && socket.connected) socket.emit('unsubscribe', { buildingId: followed.buildingId }, () => {});
			followed = undefined;
		},
		close() {
			clearTimeout(retry);
			followed = undefined;
			socket.off();
			socket.disconnect();
		},
	};
}
