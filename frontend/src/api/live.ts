import type { DashboardToServer, ServerToDashboard } from '@crowdvision/contracts';
import { io, type Socket } from 'socket.io-client';
import { RetryTimer } from '../lib/requests/retry-timer.ts';
import { sitePath } from '../lib/requests/site-path.ts';
import { refreshSession } from './endpoints.ts';

/** State of the live connection. `since`: when it began, epoch ms by this device's clock. */
export interface LiveStatus {
	state: 'connecting' | 'live' | 'reconnecting';
	since: number;
	/** Requests reach the services, but those of the live connection do not: a proxy keeps them. */
	blocked?: boolean;
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
type ConnectError = Error & { data?: { code?: string; error?: { code?: string; path?: string } } };

const ANSWER_TIMEOUT_MS = 10_000;
const RETRY = { firstMs: 500, longestMs: 15_000 };
/** Refusals that no retry by itself resolves. */
const FINAL = new Set(['unauthenticated', 'forbidden', 'not_found']);

/** Opens the dashboard's Socket.IO connection with the session cookie, and reconnects until `close`. */
export function connectLive(handlers: LiveHandlers): LiveConnection {
	let presentsToken = false;
	const socket = openSocket(() => presentsToken);
	const reconnect = new RetryTimer(RETRY);
	const resubscribe = new RetryTimer(RETRY);
	let followed: { buildingId: string; cursor: () => string | undefined } | undefined;
	let status: LiveStatus = { state: 'connecting', since: Date.now() };

	const setState = (state: LiveStatus['state']) => {
		if (state === status.state) return;
		status = { state, since: Date.now() };
		handlers.status(status);
	};
	const findOutWhetherBlocked = async () => {
		const asked = status;
		const blocked = await isBlocked();
		if (status !== asked || asked.state === 'live' || (asked.blocked ?? false) === blocked) return;
		status = { ...asked, blocked };
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
		const cursor = requested.cursor();
		const request = { buildingId: requested.buildingId, ...(cursor !== undefined && { cursor }) };
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
		if (code === 'unauthenticated') {
			// The service cannot tell that this page is of its own site, as a proxy hides the name. Then a token shows it.
			if (error.data?.error?.path === '/origin' && !presentsToken) presentsToken = true;
			else handlers.refused(code);
		} else if (error.data === undefined) void findOutWhetherBlocked();
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

/** Whether a proxy answers the requests of the live connection itself. */
async function isBlocked(): Promise<boolean> {
	try {
		const answer = await fetch(`${sitePath('/socket.io/')}?EIO=4&transport=polling`, {
			signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
		});
		if (answer.status >= 500 || answer.status === 429) return false;
		// The answers of the service: a handshake, or a refusal with a code.
		return !/^(?:0\{|\{"(?:code|error)")/.test(await answer.text());
	} catch {
		return false;
	}
}

/** `presentsToken`: whether to send a token instead of relying on the session cookie. */
function openSocket(presentsToken: () => boolean): LiveSocket {
	return io({
		path: sitePath('/socket.io'),
		auth: (present) => {
			if (!presentsToken()) return present({});
			refreshSession().then(
				({ token }) => present({ token }),
				() => present({}),
			);
		},
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
