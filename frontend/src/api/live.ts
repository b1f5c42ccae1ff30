import type { DashboardToServer, ServerToDashboard } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';
import { RetryTimer } from '../lib/requests/retry-timer.ts';
import { refreshSession } from './endpoints.ts';

/** State of the live connection. `since`: when it began, epoch ms by this device's clock. */
export interface LiveStatus {
	state: 'connecting' | 'live' | 'reconnecting';
	since: number;
}

/** The events of a live connection: those of the socket service, and those of the connection itself. */
export interface LiveHandlers extends Omit<ServerToDashboard, 'ended' | 'expiring'> {
	status(status: LiveStatus): void;
	/** The session has ended (`unauthenticated`), or the building cannot be seen: asking again does not help. */
	refused(code: string): void;
	/** Connected, for the first time or again: reload whatever cannot be resumed from a cursor. */
	connected(): void;
}

/** The dashboard's connection to the socket service. It follows at most one building at a time. */
export interface LiveConnection {
	/** Subscribes to a building, now and after each reconnect, from the cursor that `cursor` returns at that moment. */
	follow(buildingId: string, cursor: () => string | undefined): void;
	unfollow(): void;
	close(): void;
}

type LiveSocket = Socket<ServerToDashboard, DashboardToServer>;
type ConnectError = Error & { data?: { code?: string; error?: { code?: string } } };

const ANSWER_TIMEOUT_MS = 10_000;
const RETRY = { firstMs: 500, longestMs: 15_000 };
/** Refusals that no retry by itself resolves. */
const FINAL = new Set(['unauthenticated', 'forbidden', 'not_found']);

/** Opens the dashboard's Socket.IO connection with the session cookie, and reconnects until `close`. */
export function connectLive(handlers: LiveHandlers): LiveConnection {
	const socket = openSocket();
	const reconnect = new RetryTimer(RETRY);
	const resubscribe = new RetryTimer(RETRY);
	let followed: { buildingId: string; cursor: () => string | undefined } | undefined;
	let status: LiveStatus = { state: 'connecting', since: Date.now() };

	const setState = (state: LiveStatus['state']) => {
		if (state === status.state) return;
		status = { state, since: Date.now() };
		handlers.status(status);
	};
	const setLive = () => {
		reconnect.reset();
		resubscribe.reset();
		setState('live');
	};
	const retrySubscribe = () => {
		setState('reconnecting');
		resubscribe.schedule(subscribe);
	};
	const subscribe = async () => {
		const requested = followed;
		if (!socket.connected) return;
		if (!requested) return setLive();
		const { buildingId } = requested;
		const cursor = requested.cursor();
		const request = cursor === undefined ? { buildingId } : { buildingId, cursor };
		try {
			const outcome = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck('subscribe', request);
			if (followed !== requested) return;
			if (outcome.ok) return setLive();
			const { code } = outcome.error;
			if (FINAL.has(code)) handlers.refused(code);
			retrySubscribe();
		} catch {
			// No answer in time. A lost connection also ends up here; then the reconnect subscribes again.
			if (followed === requested && socket.connected) retrySubscribe();
		}
	};
	const onConnectionLost = () => {
		if (status.state === 'live') setState('reconnecting');
		// socket.io reconnects by itself, except after a disconnect or a refusal by the service.
		if (!socket.active) reconnect.schedule(() => socket.connect());
	};

	socket.on('connect', () => {
		reconnect.cancel();
		resubscribe.cancel();
		handlers.connected();
		void subscribe();
	});
	socket.on('disconnect', onConnectionLost);
	socket.on('connect_error', (error: ConnectError) => {
		const code = error.data?.code ?? error.data?.error?.code;
		if (code === 'unauthenticated') handlers.refused(code);
		onConnectionLost();
	});
	socket.on('ended', ({ buildingId }) => {
		// Access may be back already; if it is not, the answer to this subscription says so.
		if (followed?.buildingId === buildingId) void subscribe();
	});
	forwardEvents(socket, handlers);
	renewSession(socket);

	const unsubscribe = () => {
		resubscribe.cancel();
		if (followed && socket.connected) socket.emit('unsubscribe', { buildingId: followed.buildingId }, () => {});
	};
	return {
		follow(buildingId, cursor) {
			if (followed?.buildingId === buildingId) resubscribe.cancel();
			else unsubscribe();
			followed = { buildingId, cursor };
			void subscribe();
		},
		unfollow() {
			unsubscribe();
			followed = undefined;
		},
		close() {
			reconnect.cancel();
			resubscribe.cancel();
			followed = undefined;
			socket.off();
			socket.disconnect();
		},
	};
}

function openSocket(): LiveSocket {
	return io({
		path: '/socket.io',
		transports: ['websocket', 'polling'],
		tryAllTransports: true,
		reconnectionDelay: RETRY.firstMs,
		reconnectionDelayMax: RETRY.longestMs,
		randomizationFactor: 0.5,
	});
}

function forwardEvents(socket: LiveSocket, handlers: LiveHandlers): void {
	socket.on('telemetry', (readings) => handlers.telemetry(readings));
	socket.on('notification', (alert) => handlers.notification(alert));
	socket.on('device', (event) => handlers.device(event));
	socket.on('superseded', (event) => handlers.superseded(event));
}

/** Renews the session before it expires. If that fails the service ends the connection, and the reconnect says why. */
function renewSession(socket: LiveSocket): void {
	socket.on('expiring', () => {
		refreshSession()
			.then(({ token }) => socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck('renew', { token }))
			.catch(() => {});
	});
}
