/** The dashboards connected to this process, and what each subscribed to. */
import { type Bus, START, type TailGap } from '@crowdvision/bus';
import {
	type AccountClaims,
	CrowdVisionError,
	type ReadingWithCursor,
	renewRequest,
	subscribeRequest,
	unsubscribeRequest,
	type Validator,
	weightIn,
} from '@crowdvision/contracts';
import { type BuildingDirectory, type Logger, pause, Semaphore } from '@crowdvision/service-kit';
import type { Feed, FeedListener } from '../feed/feed.ts';
import { CountByKey, type Limits } from '../limits/limits.ts';
import {
	Dashboard,
	type DashboardServer,
	type DashboardSocket,
	type Handlers,
	type SomeDashboards,
} from './dashboard.ts';
import { DashboardSubscription, liveRoom } from './subscription.ts';

/** Subscriptions of one dashboard that may be authorized at once. */
const MAX_AUTHORIZING = 10;
/** Dashboards that may read the stream from the bus at once. */
const MAX_BUS_READS = 8;
/** How long a subscription waits for its building to be announced, as for one that was created a moment ago. */
const ANNOUNCED_WITHIN_MS = 1000;
const POLL_EVERY_MS = 50;

export interface DashboardsParts {
	io: DashboardServer;
	bus: Bus;
	feed: Feed;
	directory: BuildingDirectory;
	limits: Limits;
	/** Epoch ms, by the clock that tokens are verified by. */
	now: () => number;
	/** Resolves with the claims of an account's token; rejects with `unauthenticated`. */
	verify: (token: string) => Promise<AccountClaims>;
	/** Whether a session was ended before its token expires. */
	isRevoked: (claims: AccountClaims) => boolean;
	/** Called when a dashboard gets the latest values only. */
	onSuperseded: (reason: 'slow' | 'cursor_expired') => void;
	logger: Logger;
	/** Why subscriptions cannot be served yet, for a person; undefined when they can. */
	trouble: () => string | undefined;
}

/** All dashboards connected to this process, and their subscriptions. */
export class Dashboards implements FeedListener {
	readonly #parts: DashboardsParts;
	readonly #dashboards = new Set<Dashboard>();
	readonly #accounts = new CountByKey();
	readonly #byBuilding = new Map<string, Set<DashboardSubscription>>();
	readonly #busReads = new Semaphore(MAX_BUS_READS);
	#sweep: NodeJS.Timeout | undefined;
	readonly #handlers: Handlers = {
		subscribe: (dashboard, request) => this.#subscribe(dashboard, request),
		unsubscribe: (dashboard, request) => {
			this.#end(dashboard, parse(unsubscribeRequest, request, 'unsubscribe takes {buildingId}').buildingId);
			return {};
		},
		renew: (dashboard, request) => this.#renew(dashboard, request),
	};

	constructor(parts: DashboardsParts) {
		this.#parts = parts;
	}

	/** Checks access again when a building changes, and disconnects overloaded dashboards, until `close`. */
	start(): void {
		const { directory, limits } = this.#parts;
		directory.onChange((buildingId) => this.#checkAccess(buildingId));
		this.#sweep = setInterval(() => {
			for (const dashboard of this.#dashboards) dashboard.disconnectIfOverloaded(limits.stalledMs);
		}, limits.stalledMs / 10);
		this.#sweep.unref();
	}

	get count(): number {
		return this.#dashboards.size;
	}

	/** Number of subscriptions that get the latest values only at this moment. */
	get conflated(): number {
		let slow = 0;
		for (const subscriptions of this.#byBuilding.values())
			for (const subscription of subscriptions) if (subscription.isSlow) slow++;
		return slow;
	}

	/** Number of dashboards of an account that are connected to this process. */
	countOf(accountId: string): number {
		return this.#accounts.of(accountId);
	}

	/** Adds a connection whose token was verified, until it disconnects. */
	add(socket: DashboardSocket): void {
		const dashboard = new Dashboard(socket, this.#parts.limits, this.#parts.now);
		const { sub } = dashboard.claims;
		this.#dashboards.add(dashboard);
		this.#accounts.add(sub);
		socket.on('disconnect', () => {
			dashboard.session.end();
			this.#dashboards.delete(dashboard);
			this.#accounts.remove(sub);
			for (const buildingId of [...dashboard.subscriptions.keys()]) this.#end(dashboard, buildingId);
		});
		dashboard.start(this.#handlers);
	}

	onReadings(buildingId: string, readings: ReadingWithCursor[]): void {
		const subscriptions = this.#byBuilding.get(buildingId);
		if (!subscriptions) return;
		const own = readings.filter((reading) => this.#parts.directory.owns(reading));
		if (own.length === 0) return;
		for (const subscription of subscriptions) subscription.note(own);
		this.#parts.io.local.to(liveRoom(buildingId)).emit('telemetry', own);
	}

	onGap({ to }: TailGap): void {
		for (const subscriptions of this.#byBuilding.values())
			for (const subscription of subscriptions) subscription.noteGap(to);
	}

	/**
	 * Sends something to the dashboards of this process whose account may see it, encoded once for all. Every replica
	 * does so for its own dashboards.
	 */
	send(maySee: (memberships: AccountClaims['memberships']) => boolean, emit: (to: SomeDashboards) => void): void {
		const { io, limits } = this.#parts;
		const sockets: string[] = [];
		for (const dashboard of this.#dashboards) {
			if (maySee(dashboard.claims.memberships) && !dashboard.disconnectIfOverloaded(limits.stalledMs))
				sockets.push(dashboard.socket.id);
		}
		// Without any, Socket.IO would send to all.
		if (sockets.length > 0) emit(io.local.to(sockets));
	}

	/** Disconnects the dashboards of an account whose sessions have ended. */
	disconnectRevoked(accountId: string): void {
		for (const { claims, socket } of this.#dashboards)
			if (claims.sub === accountId && this.#parts.isRevoked(claims)) socket.disconnect(true);
	}

	close(): void {
		clearInterval(this.#sweep);
	}

	async #subscribe(dashboard: Dashboard, request: unknown): Promise<{ cursor: string }> {
		const { buildingId, cursor } = parse(subscribeRequest, request, 'subscribe takes {buildingId, cursor?}');
		const { limits, directory } = this.#parts;
		const trouble = this.#parts.trouble();
		if (trouble) throw new CrowdVisionError('unavailable', trouble);
		const { socket, subscriptions } = dashboard;
		if (dashboard.authorizing >= MAX_AUTHORIZING)
			throw new CrowdVisionError('rate_limited', 'Too many subscriptions are requested at once');
		const { size } = subscriptions;
		if (size + dashboard.authorizing >= limits.subscriptions && !subscriptions.has(buildingId))
			throw new CrowdVisionError(
				'rate_limited',
				`A dashboard may subscribe to ${limits.subscriptions} buildings at most`,
			);
		dashboard.authorizing++;
		try {
			await this.#authorize(dashboard, buildingId);
		} finally {
			dashboard.authorizing--;
		}
		if (!socket.connected) throw new CrowdVisionError('unavailable', 'The connection is closed');
		directory.require(dashboard.claims.memberships, buildingId, 'standard_customer');
		return { cursor: this.#begin(dashboard, buildingId, cursor) };
	}

	/**
	 * Waits as long for a building of another domain as for one that does not exist, so that the time reveals nothing.
	 */
	async #authorize(dashboard: Dashboard, buildingId: string): Promise<void> {
		for (const until = performance.now() + ANNOUNCED_WITHIN_MS; ; await pause(POLL_EVERY_MS)) {
			try {
				this.#parts.directory.require(dashboard.claims.memberships, buildingId, 'standard_customer');
				return;
			} catch (error) {
				if (performance.now() >= until) throw error;
			}
		}
	}

	#begin(dashboard: Dashboard, buildingId: string, cursor: string | undefined): string {
		const { bus, feed, directory, logger, onSuperseded } = this.#parts;
		const { socket, backlog } = dashboard;
		this.#end(dashboard, buildingId);
		const isKnown = cursor !== undefined && isPosition(bus, cursor);
		const from = isKnown ? cursor : feed.recent.head;
		const { generation } = directory.get(buildingId)!;
		const parts = {
			buildingId,
			generation,
			socket,
			backlog,
			feed,
			bus,
			directory,
			busReads: this.#busReads,
			onSuperseded,
			logger,
		};
		const subscription = new DashboardSubscription(parts, from);
		dashboard.subscriptions.set(buildingId, subscription);
		const all = this.#byBuilding.get(buildingId) ?? new Set();
		this.#byBuilding.set(buildingId, all.add(subscription));
		// After the answer, so that a client knows which subscription the first readings belong to.
		setImmediate(() => void subscription.run(isKnown ? undefined : cursor));
		return from;
	}

	async #renew(dashboard: Dashboard, request: unknown): Promise<{ expiresAt: number }> {
		const { token } = parse(renewRequest, request, 'renew takes {token}');
		dashboard.session.renew(await this.#parts.verify(token));
		// The new token may carry fewer memberships.
		for (const buildingId of [...dashboard.subscriptions.keys()]) this.#endIfDenied(dashboard, buildingId);
		if (!dashboard.socket.connected) dashboard.session.end();
		return { expiresAt: dashboard.session.expiresAt };
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

	/** Ends the subscriptions of accounts that may no longer see a building, which has changed owners or was removed. */
	#checkAccess(buildingId: string): void {
		if (!this.#byBuilding.has(buildingId)) return;
		for (const dashboard of this.#dashboards) this.#endIfDenied(dashboard, buildingId);
	}

	#endIfDenied(dashboard: Dashboard, buildingId: string): void {
		const subscription = dashboard.subscriptions.get(buildingId);
		const { domains = [], generation } = this.#parts.directory.get(buildingId) ?? {};
		if (!subscription) return;
		if (generation === subscription.generation && weightIn(dashboard.claims.memberships, domains) > 0) return;
		this.#end(dashboard, buildingId);
		dashboard.socket.emit('ended', {
			buildingId,
			...new CrowdVisionError('not_found', 'There is no such building').toBody(),
		});
	}
}

/** @throws CrowdVisionError `bad_request` with the expected format and the path of the mistake */
function parse<T>(validator: Validator<T>, request: unknown, format: string): T {
	if (validator.check(request)) return request;
	const problem = validator.problem(request);
	throw new CrowdVisionError('bad_request', format, problem ? { path: problem.path } : {});
}

function isPosition(bus: Bus, cursor: string): boolean {
	try {
		bus.compare(cursor, START);
		return true;
	} catch {
		return false;
	}
}
