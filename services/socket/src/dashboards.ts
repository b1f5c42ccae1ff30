import { type Bus, START, type TailGap } from '@crowdvision/bus';
import {
	type AccountClaims,
	CrowdVisionError,
	type DashboardToServer,
	type Outcome,
	type ReadingWithCursor,
	type ServerToDashboard,
	subscribeRequest,
	weightIn,
} from '@crowdvision/contracts';
import { type BuildingDirectory, type Logger, pause } from '@crowdvision/service-kit';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import { Backlog } from './backlog.ts';
import type { Feed, FeedListener } from './feed.ts';
import { Slots } from './slots.ts';
import { DashboardSubscription, liveRoom } from './subscription.ts';

/** What is known of a connected dashboard. */
export interface DashboardData {
	claims: AccountClaims;
}
export type DashboardServer = Server<DashboardToServer, ServerToDashboard, DefaultEventsMap, DashboardData>;
type DashboardSocket = Socket<DashboardToServer, ServerToDashboard, DefaultEventsMap, DashboardData>;

interface Dashboard {
	socket: DashboardSocket;
	backlog: Backlog;
	subscriptions: Map<string, DashboardSubscription>;
	/** Subscriptions being granted just now. */
	asking: number;
}

const MOST_SUBSCRIPTIONS = 50;
const MOST_ASKING = 10;
const READ_FROM_BUS_AT_ONCE = 8;
/** A building just made is told of a moment later: whoever is quicker waits for it. */
const PATIENCE_MS = 1000;
const LOOK_EVERY_MS = 50;
/** A dashboard that lets so much wait is beyond help: it is disconnected, and comes back with its cursor. */
const HOPELESS = { packets: 2000, bytes: 8 * 1024 * 1024 };
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export interface DashboardsParts {
	io: DashboardServer;
	bus: Bus;
	feed: Feed;
	directory: BuildingDirectory;
	logger: Logger;
	/** The reason for a person while the stream is not followed yet. */
	trouble: () => string | undefined;
}

/** Everybody who looks at a dashboard, and what they look at. */
export class Dashboards implements FeedListener {
	readonly #parts: DashboardsParts;
	readonly #dashboards = new Map<string, Dashboard>();
	readonly #byBuilding = new Map<string, Set<DashboardSubscription>>();
	readonly #slots = new Slots(READ_FROM_BUS_AT_ONCE);

	constructor(parts: DashboardsParts) {
		this.#parts = parts;
		parts.directory.onChange((buildingId) => this.#reconsider(buildingId));
	}

	get count(): number {
		return this.#dashboards.size;
	}

	/** Takes a connection in whose token was verified. */
	welcome(socket: DashboardSocket): void {
		const dashboard: Dashboard = { socket, backlog: new Backlog(socket.conn), subscriptions: new Map(), asking: 0 };
		this.#dashboards.set(socket.id, dashboard);
		const expiry = disconnectAtExpiry(socket);
		socket.on('disconnect', () => {
			expiry.stop();
			this.#dashboards.delete(socket.id);
			for (const buildingId of [...dashboard.subscriptions.keys()]) this.#end(dashboard, buildingId);
		});
		socket.on('subscribe', (request, done) => void answer(done, () => this.#subscribe(dashboard, request)));
		socket.on('unsubscribe', (request, done) => {
			if (typeof request?.buildingId === 'string') this.#end(dashboard, request.buildingId);
			if (typeof done === 'function') done({ ok: true });
		});
	}

	onReadings(buildingId: string, readings: ReadingWithCursor[]): void {
		const subscriptions = this.#byBuilding.get(buildingId);
		if (!subscriptions) return;
		for (const subscription of subscriptions) subscription.note(readings);
		this.#parts.io.local.to(liveRoom(buildingId)).emit('telemetry', readings);
	}

	onGap({ to }: TailGap): void {
		for (const subscriptions of this.#byBuilding.values()) for (const subscription of subscriptions) subscription.noteGap(to);
	}

	/** Sends something to every dashboard whose account has a say in one of these domains; without a domain to nobody. */
	tell(domainNames: readonly string[], send: (socket: DashboardSocket) => void): void {
		for (const { socket, backlog } of this.#dashboards.values()) {
			if (weightIn(socket.data.claims.memberships, domainNames) === 0) continue;
			if (backlog.packets > HOPELESS.packets || backlog.bytes > HOPELESS.bytes) socket.conn.close(true);
			else send(socket);
		}
	}

	async #subscribe(dashboard: Dashboard, request: unknown): Promise<{ cursor: string }> {
		if (!subscribeRequest.check(request)) throw new CrowdVisionError('bad_request', 'subscribe takes {buildingId, cursor?}');
		const trouble = this.#parts.trouble();
		if (trouble) throw new CrowdVisionError('unavailable', trouble);
		const { socket, subscriptions } = dashboard;
		if (dashboard.asking >= MOST_ASKING) throw new CrowdVisionError('rate_limited', 'Too many subscriptions are being asked for at once');
		if (subscriptions.size >= MOST_SUBSCRIPTIONS)
			throw new CrowdVisionError('rate_limited', `A dashboard may look at ${MOST_SUBSCRIPTIONS} buildings at most`);
		dashboard.asking++;
		try {
			await this.#authorize(socket, request.buildingId);
		} finally {
			dashboard.asking--;
		}
		if (!socket.connected) throw new CrowdVisionError('unavailable', 'The connection is closed');
		return { cursor: this.#begin(dashboard, request.buildingId, request.cursor) };
	}

	/** The same wait for a building that is foreign as for one that is not there. */
	async #authorize(socket: DashboardSocket, buildingId: string): Promise<void> {
		for (const until = performance.now() + PATIENCE_MS; ; await pause(LOOK_EVERY_MS)) {
			try {
				this.#parts.directory.require(socket.data.claims.memberships, buildingId, 'standard_customer');
				return;
			} catch (error) {
				if (performance.now() >= until) throw error;
			}
		}
	}

	#begin(dashboard: Dashboard, buildingId: string, cursor: string | undefined): string {
		const { bus, feed, logger } = this.#parts;
		const { socket, backlog } = dashboard;
		this.#end(dashboard, buildingId);
		const known = cursor !== undefined && isPosition(bus, cursor);
		const from = known ? cursor : feed.recent.head;
		const subscription = new DashboardSubscription({ buildingId, socket, backlog, feed, bus, slots: this.#slots, logger }, from);
		dashboard.subscriptions.set(buildingId, subscription);
		const all = this.#byBuilding.get(buildingId) ?? new Set();
		this.#byBuilding.set(buildingId, all.add(subscription));
		// After the answer, so that a client knows what the first readings belong to.
		setImmediate(() => {
			if (cursor !== undefined && !known) socket.emit('superseded', { buildingId, reason: 'cursor_expired', from: cursor, cursor: from });
			void subscription.run();
		});
		return from;
	}

	#end(dashboard: Dashboard, buildingId: string): void {
		const subscription = dashboard.subscriptions.get(buildingId);
		if (!subscription) return;
		subscription.close();
		dashboard.subscriptions.delete(buildingId);
		const all = this.#byBuilding.get(buildingId);
		all?.delete(subscription);
		if (all?.size === 0) this.#byBuilding.delete(buildingId);
	}

	/** A building changed hands, or is no more: whoever may no longer see it does not. */
	#reconsider(buildingId: string): void {
		const domains = this.#parts.directory.get(buildingId)?.domains ?? [];
		for (const dashboard of this.#dashboards.values()) {
			if (weightIn(dashboard.socket.data.claims.memberships, domains) === 0) this.#end(dashboard, buildingId);
		}
	}
}

/** Calls back with what `grant` resolves with, or with why it does not. A client that wants no answer gets none. */
async function answer<T extends object>(done: (outcome: Outcome<T>) => void, grant: () => Promise<T>): Promise<void> {
	if (typeof done !== 'function') return;
	try {
		done({ ok: true, ...(await grant()) });
	} catch (error) {
		const refusal = error instanceof CrowdVisionError ? error : new CrowdVisionError('internal', 'Something went wrong here');
		done({ ok: false, ...refusal.toBody() });
	}
}

function isPosition(bus: Bus, cursor: string): boolean {
	try {
		bus.compare(cursor, START);
		return true;
	} catch {
		return false;
	}
}

function disconnectAtExpiry(socket: DashboardSocket): { stop(): void } {
	const left = socket.data.claims.exp * 1000 - Date.now();
	const timer = setTimeout(() => socket.disconnect(true), Math.min(Math.max(0, left), LONGEST_TIMEOUT_MS));
	return { stop: () => clearTimeout(timer) };
}
