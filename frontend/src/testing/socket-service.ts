import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DashboardToServer, ErrorCode, Outcome, ServerToDashboard } from '@crowdvision/contracts';
import { Server, type Socket } from 'socket.io';
import { onTestFinished, vi } from 'vitest';

type Answer = Outcome<{ cursor: string }>;

/** A real Socket.IO server in place of the socket service, on a free port of this machine. */
export interface SocketService {
	/** Every connection attempt that reached the service. */
	attempts: number;
	/** Every subscription that was requested. */
	readonly subscriptions: { buildingId: string; cursor?: string }[];
	readonly unsubscriptions: string[];
	/** Tokens of renewed sessions. */
	readonly renewals: string[];
	/** Code with which connections are refused; undefined to accept them. */
	refuse: ErrorCode | undefined;
	/** Answers a subscription. Undefined: no answer. */
	answer: (buildingId: string) => Answer | Promise<Answer> | undefined;
	/** The connected dashboards. */
	readonly sockets: Socket<DashboardToServer, ServerToDashboard>[];
}

export const ACCEPTED: Answer = { ok: true, cursor: '0' };
export const refusal = (code: ErrorCode): Answer => ({ ok: false, error: { code, message: code } });

/**
 * Starts the service and points `location` at it, as if the page had been loaded from there. Both are taken back after
 * the running test. Its own timers must not depend on a fake clock, so it sends no pings.
 */
export async function socketService(): Promise<SocketService> {
	const http = createServer();
	const io = new Server<DashboardToServer, ServerToDashboard>(http, { serveClient: false, pingInterval: 2 ** 30 });
	const service: SocketService = {
		attempts: 0,
		subscriptions: [],
		unsubscriptions: [],
		renewals: [],
		refuse: undefined,
		answer: () => ACCEPTED,
		get sockets() {
			return [...io.sockets.sockets.values()];
		},
	};
	io.use((_socket, next) => {
		service.attempts += 1;
		const { refuse } = service;
		next(refuse && Object.assign(new Error(refuse), { data: { code: refuse } }));
	});
	io.on('connection', (socket) => {
		socket.on('subscribe', async (request, done) => {
			service.subscriptions.push(request);
			const answer = await service.answer(request.buildingId);
			if (answer) done(answer);
		});
		socket.on('unsubscribe', ({ buildingId }, done) => {
			service.unsubscriptions.push(buildingId);
			done?.({ ok: true });
		});
		socket.on('renew', ({ token }, done) => {
			service.renewals.push(token);
			done({ ok: true, expiresAt: 0 });
		});
	});
	await new Promise<void>((resolve, reject) => http.once('error', reject).listen(0, '127.0.0.1', resolve));
	vi.stubGlobal('location', new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`));
	onTestFinished(async () => {
		vi.unstubAllGlobals();
		await io.close();
	});
	return service;
}
