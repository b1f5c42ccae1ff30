import type { Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Bus } from '@crowdvision/bus';
import { BuildingDirectory, BusLinks, Counter, Gauge, pause, Router, type Service, type ServiceContext } from '@crowdvision/service-kit';
import { Server } from 'socket.io';
import { authenticate } from './authenticate.ts';
import { type DashboardServer, Dashboards } from './dashboards.ts';
import { Feed, type FeedListener } from './feed.ts';
import { followDevices, SensorPlaces } from './on-device.ts';
import { followNotifications } from './on-notification.ts';
import type { RecentBounds } from './recent.ts';

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
}

export const SOCKET_PATH = '/socket.io';
const GRACE_MS = 500;

/**
 * Live dashboards.
 *
 *   bus: telemetry ─▶ feed (one tail for all) ─┬─▶ recent, for who catches up ─┐
 *                                              └─▶ live rooms, one a building ─┴─▶ browsers
 *   bus: notifications ─▶ members of its domains ────────────────────────────────▶ browsers
 *   bus: devices ─▶ members of its building's domains ───────────────────────────▶ browsers
 *   bus: registry:buildings ─▶ directory ─▶ who may see which building
 */
export async function createSocket({ bus, tokens, metrics, logger }: SocketContext, options: SocketOptions = {}): Promise<Service> {
	const { ownsServer = false, recent = { entries: 20_000, bytes: 8 * 1024 * 1024 }, everyMs = 50 } = options;
	let closing = false;
	const io: DashboardServer = new Server({
		path: SOCKET_PATH,
		serveClient: false,
		connectTimeout: 10_000,
		maxHttpBufferSize: 64 * 1024,
		allowRequest: (_request, decide) => decide(closing ? 'closing' : null, !closing),
	});
	const rejected = new Counter({ name: 'socket_rejected_total', help: 'Entries of the stream that are no readings', registers: [metrics] });
	const directory = new BuildingDirectory(logger);
	const places = new SensorPlaces();
	const links = new BusLinks(logger);
	const feed = new Feed({ bus, recent, everyMs, rejected });
	const dashboards = new Dashboards({ io, bus, feed, directory, logger, trouble: () => links.trouble() });
	new Gauge({
		name: 'socket_dashboards',
		help: 'Dashboards connected',
		registers: [metrics],
		collect() {
			this.set(dashboards.count);
		},
	});
	const listener: FeedListener = {
		onReadings: (buildingId, readings) => {
			places.learn(readings);
			dashboards.onReadings(buildingId, readings);
		},
		onGap: (gap) => dashboards.onGap(gap),
	};
	io.use(authenticate(tokens));
	io.on('connection', (socket) => dashboards.welcome(socket));
	await links.open(
		() => directory.follow(bus),
		() => places.follow(bus),
		() => feed.follow(listener),
		() => followNotifications(bus, dashboards, logger),
		() => followDevices({ bus, dashboards, directory, places, logger }),
	);

	const connections = new Set<Duplex>();
	/** Closes every connection in a way that has dashboards come back, here or elsewhere; who does not hear it is cut off. */
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
		},
		detach,
		stop: async () => {
			await detach();
			await links.close();
		},
	};
}
