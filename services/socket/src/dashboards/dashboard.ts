import {
	type AccountClaims,
	CrowdVisionError,
	type DashboardToServer,
	type Outcome,
	type ServerToDashboard,
} from '@crowdvision/contracts';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import { EventLimiter, type Limits } from '../limits/limits.ts';
import { Backlog } from './backlog.ts';
import { Session, type SessionEvents } from './session.ts';
import type { DashboardSubscription } from './subscription.ts';

/** The data of a connection that was let in. */
export interface DashboardData {
	claims: AccountClaims;
}

/** Events between replicas. */
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

/** Some of the dashboards of this process, to send one event to. */
export type SomeDashboards = Pick<ReturnType<DashboardServer['to']>, 'emit'>;

/** Handles each event of a dashboard: resolves with its answer, or rejects with its refusal. */
export type Handlers = {
	[E in keyof DashboardToServer]: (dashboard: Dashboard, request: unknown) => Promise<object> | object;
};

/** A dashboard with more than this waiting is disconnected; it comes back with its cursor. */
const MAX_BACKLOG = { packets: 2000, bytes: 8 * 1024 * 1024 };

/** One connected dashboard: its session, its subscriptions, and the data that waits for it. */
export class Dashboard {
	readonly socket: DashboardSocket;
	readonly backlog: Backlog;
	readonly session: Session;
	readonly subscriptions = new Map<string, DashboardSubscription>();
	/** Subscriptions that are being authorized. */
	authorizing = 0;
	readonly #limiter: EventLimiter;

	/** @param now epoch ms, by the clock that tokens are verified by */
	constructor(socket: DashboardSocket, limits: Limits, now: () => number) {
		this.socket = socket;
		this.backlog = Backlog.watch(socket.conn);
		this.#limiter = new EventLimiter(limits.events);
		const events: SessionEvents = {
			onExpiring: (expiresAt) =>
				socket.emit('expiring', {
					expiresAt,
					...new CrowdVisionError('unauthenticated', 'The token is about to expire').toBody(),
				}),
			onExpired: () => socket.disconnect(true),
		};
		this.session = new Session(socket.data.claims, events, now);
	}

	get claims(): AccountClaims {
		return this.session.claims;
	}

	/** Handles the events of this dashboard until it disconnects, and ends it when its session expires. */
	start(handlers: Handlers): void {
		this.session.start();
		this.socket.onAny((event: string, ...args: unknown[]) => void this.#handle(event, args, handlers));
	}

	/**
	 * Disconnects a dashboard that has too much waiting, accepts nothing for `stalledMs`, or keeps sending too many
	 * events. Returns whether it did. The dashboard may come back with its cursor.
	 */
	disconnectIfOverloaded(stalledMs: number): boolean {
		const { packets, bytes } = this.backlog;
		const isOverloaded =
			packets > MAX_BACKLOG.packets ||
			bytes > MAX_BACKLOG.bytes ||
			this.backlog.stalledMs > stalledMs ||
			this.#limiter.exhausted;
		if (isOverloaded) this.socket.conn.close(true);
		return isOverloaded;
	}

	async #handle(event: string, args: unknown[], handlers: Handlers): Promise<void> {
		const last = args.at(-1);
		// A client that passes no callback gets no answer.
		const answer = typeof last === 'function' ? (outcome: Outcome<object>) => last(outcome) : () => undefined;
		try {
			this.#limiter.take();
			this.session.requireLive();
			if (!Object.hasOwn(handlers, event))
				throw new CrowdVisionError('bad_request', `Events are ${Object.keys(handlers).join(', ')}`);
			answer({ ok: true, ...(await handlers[event as keyof Handlers](this, args[0])) });
		} catch (error) {
			answer({ ok: false, ...toClientError(error).toBody() });
			this.disconnectIfOverloaded(Number.POSITIVE_INFINITY);
		}
	}
}

/** The error as the client gets it: details of an unexpected one stay here. */
export function toClientError(error: unknown): CrowdVisionError {
	return error instanceof CrowdVisionError ? error : new CrowdVisionError('internal', 'Something went wrong here');
}
