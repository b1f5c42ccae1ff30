/** Composes the service socket, which sends live values and alerts to browsers. */
import type { Server as HttpServer } from 'node:http';
import type { Bus } from '@crowdvision/bus';
import {
	BuildingDirectory,
	BusLinks,
	Lifecycle,
	Router,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { Server } from 'socket.io';
import { authenticate } from './connections/authenticate.ts';
import { limitAddresses } from './connections/limit-addresses.ts';
import { Replicas } from './connections/replicas.ts';
import { Upgrades } from './connections/upgrades.ts';
import type { DashboardServer } from './dashboards/dashboard.ts';
import { Dashboards } from './dashboards/dashboards.ts';
import { SensorPlaces } from './dashboards/sensor-places.ts';
import { Feed } from './feed/feed.ts';
import { DEFAULT_RECENT, type RecentBounds } from './feed/recent.ts';
import { DEFAULT_LIMITS, type Limits } from './limits/limits.ts';
import { dashboardGauges, socketMetrics } from './metrics.ts';
import { followDevices } from './on-device.ts';
import { followNotifications } from './on-notification.ts';
import { followTelemetry } from './on-telemetry.ts';

export interface SocketContext extends ServiceContext {
	bus: Bus;
}

export interface SocketOptions {
	/** Whether upgrades for other paths are refused, because nothing else serves them on this server. Default false. */
	ownsServer?: boolean;
	/** How much of the stream is held for dashboards that catch up. Default DEFAULT_RECENT. */
	recent?: RecentBounds;
	/** The shortest time between two events with readings, which are sent together, in ms. Default 50. */
	everyMs?: number;
	/** Default DEFAULT_LIMITS. */
	limits?: Partial<Limits>;
	/** The URL of Redis, where several processes of this service share an account's limit. Default: this one is alone. */
	replicasUrl?: string;
}

const SOCKET_PATH = '/socket.io';
const DEFAULT_EVERY_MS = 50;
/** How long dashboards may take to close their connections when the service stops. */
const GRACE_MS = 500;

/**
 * Live dashboards over Socket.IO.
 *
 *   bus: telemetry ─▶ feed (one tail for all) ─┬─▶ recent readings, to catch up ──┐
 *                                              └─▶ live rooms, one per building ──┴─▶ browsers
 *   bus: notifications ─▶ members of the alert's domains ────────────────────────────▶ browsers
 *   bus: devices ─▶ members of the domains of the device's building ─────────────────▶ browsers
 *   bus: registry:buildings ─▶ directory ─▶ which account may see which building
 *
 * Every replica follows all of that and sends it to its own browsers only.
 */
export function createSocket(context: SocketContext, options: SocketOptions = {}): Promise<Service> {
	const lifecycle = new Lifecycle(context.logger);
	return lifecycle.stopOnFailure(() => openSocket(context, options, lifecycle));
}

async function openSocket(
	{ bus, tokens, metrics, site, now, logger }: SocketContext,
	options: SocketOptions,
	lifecycle: Lifecycle,
): Promise<Service> {
	const { ownsServer = false, recent = DEFAULT_RECENT, everyMs = DEFAULT_EVERY_MS } = options;
	const limits = { ...DEFAULT_LIMITS, ...options.limits };
	const replicas =
		options.replicasUrl === undefined
			? undefined
			: lifecycle.own('replicas', Replicas.connect(options.replicasUrl, logger));
	const links = lifecycle.own('links to the bus', new BusLinks(logger));

	const door = { isClosing: false };
	const io: DashboardServer = new Server({
		path: SOCKET_PATH,
		serveClient: false,
		connectTimeout: 10_000,
		maxHttpBufferSize: limits.messageBytes,
		allowRequest: (_request, decide) => decide(door.isClosing ? 'closing' : null, !door.isClosing),
		...(replicas && { adapter: replicas.adapter }),
	});
	const { superseded, ...feedMetrics } = socketMetrics(metrics);
	const directory = new BuildingDirectory(logger);
	const places = new SensorPlaces();
	const feed = new Feed({ bus, now, recent, everyMs, ...feedMetrics });
	const verify = (token: string) => tokens.verifyAccount(token);
	const dashboards = new Dashboards({
		io,
		bus,
		feed,
		directory,
		limits,
		now: () => tokens.clock.now(),
		verify,
		isRevoked: (claims) => tokens.revocations.isRevoked(claims),
		onSuperseded: (reason) => superseded.inc({ reason }),
		logger,
		trouble: () => links.trouble(),
	});
	dashboardGauges(metrics, dashboards);
	dashboards.start();
	lifecycle.own('dashboards', dashboards);
	tokens.revocations.onRevoked((accountId) => dashboards.disconnectRevoked(accountId));
	replicas?.join(io, dashboards);
	io.use(authenticate({ tokens, site, limits, dashboards, replicas }));
	io.on('connection', (socket) => dashboards.add(socket));
	await links.open(
		() => directory.follow(bus),
		() => places.follow(bus),
		() => followTelemetry({ feed, dashboards, places }),
		() => followNotifications({ bus, dashboards, directory, logger }),
		() => followDevices({ bus, dashboards, directory, places, now, logger }),
	);

	const upgrades = new Upgrades();
	/** Closes every connection in a way that dashboards come back, to any replica. */
	const detach = async () => {
		door.isClosing = true;
		io.engine?.close();
		await upgrades.closed(GRACE_MS);
	};
	lifecycle.onStop('connections', detach);
	return {
		name: 'socket',
		router: Router(),
		trouble: async () => links.trouble() ?? bus.trouble(),
		attach: (server: HttpServer) => {
			upgrades.track(server, SOCKET_PATH);
			io.attach(server, { destroyUpgrade: ownsServer });
			limitAddresses(io, limits.perAddress, (request) => site.addressOf(request));
		},
		detach,
		stop: () => lifecycle.stop(),
	};
}
