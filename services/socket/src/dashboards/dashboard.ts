import {
	type AccountClaims,
	CrowdVisionError,
	type DashboardToServer,
	type Outcome,
	type ServerToDashboard,
} from '@crowdvision/contracts';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import { type Limits, Pace } from '../limits/limits.ts';
import { Backlog } from './backlog.ts';
import { Session } from './session.ts';
import type { DashboardSubscription } from './subscription.ts';

/** What is known of a connection that was let in. */
export interface DashboardData {
	claims: AccountClaims;
}

/** Between replicas. */
export interface ReplicaEvents {
	dashboardsOf(accountId: string, answer: (count: number) => void): void;
}
export type DashboardServer = Server<DashboardToServer, ServerToDashboard, ReplicaEvents, DashboardData>;
export type DashboardSocket = Socket<
	DashboardToServer,
	ServerToDashboard,
	ReplicaEvents | DefaultEventsMap,
	DashboardData
>;

/** What an event of a dashboard does; resolves with its answer, throws its refusal. */
export type Handlers = {
	[E in keyof DashboardToServer]: (dashboard: Dashboard, request: unknown) => Promise<object> | object;
};

/** A dashboard that lets so much wait is beyond help: it is disconnected, and comes back with its cursor. */
const HOPELESS = { packets: 2000, bytes: 8 * 1024 * 1024 };

/** One connected dashboard: whose it is, what it looks at, and what waits for it. */
export class Dashboard {
	readonly socket: DashboardSocket;
	readonly backlog: Backlog;
	readonly session: Session;
	readonly subscriptions = new Map<string, DashboardSubscription>();
	/** Subscriptions being granted just now. */
	asking = 0;
	readonly #pace: Pace;

	constructor(socket: DashboardSocket, limits: Limits, handlers: Handlers) {
		this.socket = socket;
		this.backlog = new Backlog(socket.conn);
		this.#pace = new Pace(limits.events);
		this.session = new Session(socket.data.claims, {
			onExpiring: (expiresAt) =>
				socket.emit('expiring', {
					expiresAt,
					...new CrowdVisionError('unauthenticated', 'The token is about to expire').toBody(),
				}),
			onExpired: () => socket.disconnect(true),
		});
		socket.onAny((event: string, ...args: unknown[]) => void this.#take(event, args, handlers));
	}

	get claims(): AccountClaims {
		return this.session.claims;
	}

	/**
	 * Cuts off a client that lets too much wait, or that takes nothing for too long; it may come back with its cursor.
	 */
	cutIfHopeless(stalledMs: number): boolean {
		const { packets, bytes } = this.backlog;
		if (
			packets <= HOPELESS.packets &&
			bytes <= HOPELESS.bytes &&
			this.backlog.stalledMs <= stalledMs &&
			!this.#pace.hopeless
		)
			return false;
		this.socket.conn.close(true);
		return true;
	}

	async #take(event: string, args: unknown[], handlers: Handlers): Promise<void> {
		const last = args.at(-1);
		// A client that wants no answer gets none.
		const done = typeof last === 'function' ? (outcome: Outcome<object>) => last(outcome) : () => undefined;
		try {
			this.#pace.take();
			this.session.requireLive();
			if (!Object.hasOwn(handlers, event))
				throw new CrowdVisionError('bad_request', `Events are ${Object.keys(handlers).join(', ')}`);
			done({ ok: true, ...(await handlers[event as keyof Handlers](this, args[0])) });
		} catch (error) {
			const refusal =
				error instanceof CrowdVisionError
					? error
					: new CrowdVisionError('internal', 'Something went wrong on the server: try again later');
			done({ ok: false, ...refusal.toBody() });
			this.cutIfHopeless(Number.POSITIVE_INFINITY);
		}
	}
}
