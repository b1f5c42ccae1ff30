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
import { type Limits, Tally } from '../limits/limits.ts';
import { Dashboard, type DashboardServer, type DashboardSocket, type Handlers } from './dashboard.ts';
import { DashboardSubscription, liveRoom } from './subscription.ts';

const MOST_ASKING = 10;
const READ_FROM_BUS_AT_ONCE = 8;
/** A building just made is told of a moment later: whoever is quicker waits for it. */
const PATIENCE_MS = 1000;
const LOOK_EVERY_MS = 50;

export interface DashboardsParts {
	io: DashboardServer;
	bus: Bus;
	feed: Feed;
	directory: BuildingDirectory;
	limits: Limits;
	/** The claims of an account's token; rejects with `unauthenticated`. */
	verify: (token: string) => Promise<AccountClaims>;
	/** Whether a session was ended before its time. */
	isRevoked: (claims: AccountClaims) => boolean;
	onSuperseded: (reason: 'slow' | 'cursor_expired') => void;
	logger: Logger;
	/** The reason for a person while the stream is not followed yet. */
	trouble: () => string | undefined;
}

/** Everybody who looks at a dashboard, and what they look at. */
export class Dashboards implements FeedListener {
	readonly #parts: DashboardsParts;
	readonly #dashboards = new Set<Dashboard>();
	readonly #accounts = new Tally();
	readonly #byBuilding = new Map<string, Set<DashboardSubscription>>();
	readonly #busReads = new Semaphore(READ_FROM_BUS_AT_ONCE);
	readonly #sweep: NodeJS.Timeout;
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
		parts.directory.onChange((buildingId) => this.#reconsider(buildingId));
		const { stalledMs } = parts.limits;
		this.#sweep = setInterval(() => {
			for (const dashboard of this.#dashboards) dashboard.cutIfHopeless(stalledMs);
		}, stalledMs / 10);
		this.#sweep.unref();
	}

	get count(): number {
		return this.#dashboards.size;
	}

	/** Subscriptions that get latest values only at this moment. */
	get conflated(): number {
		let slow = 0;
		for (const subscriptions of this.#byBuilding.values())
			for (const subscription of subscriptions) if (subscription.isSlow) slow++;
		return slow;
	}

	/** How many dashboards of an account are connected to this process. */
	ofAccount(accountId: string): number {
		return this.#accounts.of(accountId);
	}

	/** Takes a connection in whose token was verified. */
	welcome(socket: DashboardSocket): void {
		const dashboard = new Dashboard(socket, this.#parts.limits, this.#handlers);
		const { sub } = dashboard.claims;
		this.#dashboards.add(dashboard);
		this.#accounts.add(sub);
		socket.on('disconnect', () => {
			dashboard.session.end();
			this.#dashboards.delete(dashboard);
			this.#accounts.remove(sub);
			for (const buildingId of [...dashboard.subscriptions.keys()]) this.#end(dashboard, buildingId);
		});
	}

	onReadings(buildingId: string, readings: ReadingWithCursor[]): void {
		const subscriptions = this.#byBuilding.get(buildingId);
		if (!subscriptions) return;
		for (const subscription of subscriptions) subscription.note(readings);
		this.#parts.io.local.to(liveRoom(buildingId)).emit('telemetry', readings);
	}

	onGap({ to }: TailGap): void {
		for (const subscriptions of this.#byBuilding.values())
			for (const subscription of subscriptions) subscription.noteGap(to);
	}

	/** Sends something to every dashboard here whose account may hear it. The other replicas hear of it themselves. */
	tell(mayHear: (memberships: AccountClaims['memberships']) => boolean, send: (socket: DashboardSocket) => void): void {
		for (const dashboard of this.#dashboards) {
			if (mayHear(dashboard.claims.memberships) && !dashboard.cutIfHopeless(this.#parts.limits.stalledMs))
				send(dashboard.socket);
		}
	}

	/** Disconnects the dashboards of an account whose sessions were ended. */
	endRevoked(accountId: string): void {
		for (const { claims, socket } of this.#dashboards)
			if (claims.sub === accountId && this.#parts.isRevoked(claims)) socket.disconnect(true);
	}

	close(): void {
		clearInterval(this.#sweep);
	}

	async #subscribe(dashboard: Dashboard, given: unknown): Promise<{ cursor: string }> {
		const { buildingId, cursor } = parse(subscribeRequest, given, 'subscribe takes {buildingId, cursor?}');
		const { limits, directory } = this.#parts;
		const trouble = this.#parts.trouble();
		if (trouble) throw new CrowdVisionError('unavailable', trouble);
		const { socket, subscriptions } = dashboard;
		if (dashboard.asking >= MOST_ASKING)
			throw new CrowdVisionError('rate_limited', 'Too many subscriptions are being asked for at once');
		const { size } = subscriptions;
		if (size + dashboard.asking >= limits.subscriptions && !subscriptions.has(buildingId))
			throw new CrowdVisionError('rate_limited', `A dashboard may look at ${limits.subscriptions} buildings at most`);
		dashboard.asking++;
		try {
			await this.#authorize(dashboard, buildingId);
		} finally {
			dashboard.asking--;
		}
		if (!socket.connected) throw new CrowdVisionError('unavailable', 'The connection is closed');
		directory.require(dashboard.claims.memberships, buildingId, 'standard_customer');
		return { cursor: this.#begin(dashboard, buildingId, cursor) };
	}

	/** The same wait for a building that is foreign as for one that is not there. */
	async #authorize(dashboard: Dashboard, buildingId: string): Promise<void> {
		for (const until = performance.now() + PATIENCE_MS; ; await pause(LOOK_EVERY_MS)) {
			try {
				this.#parts.directory.require(dashboard.claims.memberships, buildingId, 'standard_customer');
				return;
			} catch (error) {
				if (performance.now() >= until) throw error;
			}
		}
	}

	#begin(dashboard: Dashboard, buildingId: string, cursor: string | undefined): string {
		const { bus, feed, logger, onSuperseded } = this.#parts;
		const { socket, backlog } = dashboard;
		this.#end(dashboard, buildingId);
		const known = cursor !== undefined && isPosition(bus, cursor);
		const from = known ? cursor : feed.recent.head;
		const parts = { buildingId, socket, backlog, feed, bus, busReads: this.#busReads, onSuperseded, logger };
		const subscription = new DashboardSubscription(parts, from);
		dashboard.subscriptions.set(buildingId, subscription);
		const all = this.#byBuilding.get(buildingId) ?? new Set();
		this.#byBuilding.set(buildingId, all.add(subscription));
		// After the answer, so that a client knows what the first readings belong to.
		setImmediate(() => void subscription.run(known ? undefined : cursor));
		return from;
	}

	async #renew(dashboard: Dashboard, given: unknown): Promise<{ expiresAt: number }> {
		const { token } = parse(renewRequest, given, 'renew takes {token}');
		dashboard.session.renew(await this.#parts.verify(token));
		// A fresh token may say less than the one before.
		for (const buildingId of [...dashboard.subscriptions.keys()]) this.#endIfForeign(dashboard, buildingId);
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

	/** A building changed hands, or is no more: whoever may no longer see it does not. */
	#reconsider(buildingId: string): void {
		if (!this.#byBuilding.has(buildingId)) return;
		for (const dashboard of this.#dashboards) this.#endIfForeign(dashboard, buildingId);
	}

	#endIfForeign(dashboard: Dashboard, buildingId: string): void {
		const domains = this.#parts.directory.get(buildingId)?.domains ?? [];
		if (!dashboard.subscriptions.has(buildingId) || weightIn(dashboard.claims.memberships, domains) > 0) return;
		this.#end(dashboard, buildingId);
		dashboard.socket.emit('ended', {
			buildingId,
			...new CrowdVisionError('not_found', 'There is no such building').toBody(),
		});
	}
}

/** @throws CrowdVisionError `bad_request` saying what is taken, and where the mistake is. */
function parse<T>(validator: Validator<T>, given: unknown, takes: string): T {
	if (validator.check(given)) return given;
	const problem = validator.problem(given);
	throw new CrowdVisionError('bad_request', takes, problem ? { path: problem.path } : {});
}

function isPosition(bus: Bus, cursor: string): boolean {
	try {
		bus.compare(cursor, START);
		return true;
	} catch {
		return false;
	}
}
