import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Bus } from '@crowdvision/bus';
import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';
import {
	BuildingDirectory,
	BusLinks,
	pause,
	Router,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { Server } from 'socket.io';
import { authenticate } from './connections/authenticate.ts';
import { Replicas } from './connections/replicas.ts';
import type { DashboardServer } from './dashboards/dashboard.ts';
import { Dashboards } from './dashboards/dashboards.ts';
import { Feed, type FeedListener } from './feed/feed.ts';
import type { RecentBounds } from './feed/recent.ts';
import { DEFAULT_LIMITS, type Limits, Tally } from './limits/limits.ts';
import { socketMetrics } from './metrics.ts';
import { followDevices, SensorPlaces } from './on-device.ts';
import { followNotifications } from './on-notification.ts';

export interface SocketContext extends ServiceContext {
	bus: Bus;
}

export interface SocketOptions {
	/** Nobody else takes upgrades on this HTTP server: those for other paths are refused. Default false. */
	ownsServer?: boolean;
	/** How much of the stream is held for those who catch up. Default 20,000 readings, 8 MiB. */
	recent?: RecentBounds;
	/** Readings are sent at most once in so many milliseconds, together. Default 50. */
	everyMs?: number;
	limits?: Partial<Limits>;
	/** Redis, where several processes of this service share the dashboards. Without it this one is alone. */
	replicasUrl?: string;
	/** Who is connected, where a proxy stands in front. Default the connection's own address. */
	addressOf?: (request: IncomingMessage) => string;
}

const SOCKET_PATH = '/socket.io';
const GRACE_MS = 500;

/**
 * Live dashboards.
 *
 *   bus: telemetry ─▶ feed (one tail for all) ─┬─▶ recent, for who catches up ─┐
 *                                              └─▶ live rooms, one a building ─┴─▶ browsers
 *   bus: notifications ─▶ members of its domains ────────────────────────────────▶ browsers
 *   bus: devices ─▶ members of its building's domains ───────────────────────────▶ browsers
 *   bus: registry:buildings ─▶ directory ─▶ who may see which building
 *
 * Every replica follows all of that and sends it to its own browsers only.
 */
export async function createSocket(
	{ bus, tokens, metrics, logger }: SocketContext,
	options: SocketOptions = {},
): Promise<Service> {
	const {
		ownsServer = false,
		recent = { entries: 20_000, bytes: 8 * 1024 * 1024 },
		everyMs = 50,
		addressOf = ownAddress,
	} = options;
	const limits = { ...DEFAULT_LIMITS, ...options.limits };
	let closing = false;
	const replicas = options.replicasUrl === undefined ? undefined : new Replicas(options.replicasUrl, logger);
	const io: DashboardServer = new Server({
		path: SOCKET_PATH,
		serveClient: false,
		connectTimeout: 10_000,
		maxHttpBufferSize: limits.messageBytes,
		allowRequest: (_request, decide) => decide(closing ? 'closing' : null, !closing),
		...(replicas && { adapter: replicas.adapter }),
	});
	const verify = (token: string) => tokens.verifyAccount(token);
	const measured = socketMetrics(metrics, { connected: () => dashboards.count, conflated: () => dashboards.conflated });
	const directory = new BuildingDirectory(logger);
	const places = new SensorPlaces();
	const links = new BusLinks(logger);
	const feed = new Feed({ bus, recent, everyMs, ...measured });
	const onSuperseded = (reason: string) => measured.superseded.inc({ reason });
	const isRevoked = (claims: AccountClaims) => tokens.revocations.isRevoked(claims);
	const dashboards = new Dashboards({
		io,
		bus,
		feed,
		directory,
		limits,
		verify,
		isRevoked,
		onSuperseded,
		logger,
		trouble: () => links.trouble(),
	});
	tokens.revocations.onRevoked((accountId) => dashboards.endRevoked(accountId));
	const listener: FeedListener = {
		onReadings: (buildingId, readings) => {
			places.learn(readings);
			dashboards.onReadings(buildingId, readings);
		},
		onGap: (gap) => dashboards.onGap(gap),
	};
	const dashboardsHere = (accountId: string) => dashboards.ofAccount(accountId);
	replicas?.join(io, dashboardsHere);
	io.use(
		authenticate({
			verify,
			limits,
			dashboardsHere,
			dashboardsElsewhere: async (accountId) => (await replicas?.dashboardsOf(accountId)) ?? 0,
		}),
	);
	io.on('connection', (socket) => dashboards.welcome(socket));
	await links.open(
		() => directory.follow(bus),
		() => places.follow(bus),
		() => feed.follow(listener),
		() => followNotifications(bus, dashboards, directory, logger),
		() => followDevices({ bus, dashboards, directory, places, logger }),
	);

	const connections = new Set<Duplex>();
	/**
	 * Closes every connection in a way that has dashboards come back, here or elsewhere; who does not hear it is cut off.
	 */
	const detach = async () => {
		closing = true;
		io.engine?.close();
		for (let waited = 0; connections.size > 0 && waited < GRACE_MS; waited += 20) await pause(20);
		for (const connection of connections) connection.destroy();
	};
	return {
		name: 'socket',
		router: Router(),
		trouble: async () => links.trouble() ?? bus.trouble(),
		attach: (server: HttpServer) => {
			server.on('upgrade', (request, connection) => {
				if (!request.url?.startsWith(`${SOCKET_PATH}/`)) return;
				connections.add(connection);
				connection.once('close', () => connections.delete(connection));
			});
			io.attach(server, { destroyUpgrade: ownsServer });
			limitAddresses(io, limits.perAddress, addressOf);
		},
		detach,
		stop: async () => {
			await detach();
			dashboards.close();
			await links.close();
			replicas?.close();
		},
	};
}

function ownAddress(request: IncomingMessage): string {
	return request.socket.remoteAddress ?? '';
}

/** No more connections from one address than that, also of clients that never say who they are. */
function limitAddresses(io: DashboardServer, most: number, addressOf: (request: IncomingMessage) => string): void {
	const open = new Tally();
	io.engine.on(
		'connection',
		(connection: { request: IncomingMessage; once(event: 'close', listener: () => void): void }) => {
			const address = addressOf(connection.request);
			open.add(address);
			connection.once('close', () => open.remove(address));
		},
	);
	io.engine.use(
		(request: IncomingMessage & { _query?: { sid?: string } }, response: ServerResponse, next: () => void) => {
			// A request of a connection that is there already names it.
			if (request._query?.sid !== undefined || open.of(addressOf(request)) < most) return next();
			const refusal = new CrowdVisionError(
				'rate_limited',
				`There are ${most} connections from this address already`,
				{},
				30,
			);
			response.writeHead(refusal.status, { 'Content-Type': 'application/json', 'Retry-After': '30' });
			response.end(JSON.stringify(refusal.toBody()));
		},
	);
}
