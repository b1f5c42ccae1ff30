import type { RequestListener, Server } from 'node:http';
import { Lifecycle, type Router, type Service } from '@crowdvision/service-kit';
import type { StartedConfiguration } from './configuration/start.ts';
import type { Adapt } from './gateway/followed-configuration.ts';
import { openIntake } from './gateway/intake.ts';
import { openOperations } from './gateway/operations.ts';
import type { GatewayParts } from './gateway/parts.ts';
import { openSources } from './gateway/sources.ts';
import { openStorage } from './gateway/storage.ts';
import { tokenClock } from './gateway/token-clock.ts';
import { openUplinks } from './gateway/uplinks.ts';

/** The gateway as its compositions see it: `router` without the prefix `/gateway`, `ingest` with its own path. */
export interface Gateway extends Service {
	ingest: Router;
	/**
	 * A listener for the HTTP server of an app with `ingest`. It answers plain requests to `/ingest` itself, as the app
	 * would, for a third of the work.
	 */
	inFrontOf(app: RequestListener): RequestListener;
	attach(server: Server): void;
	/** For `/readyz`: how full the log is and when it will be, and what time it is. */
	about(): Record<string, unknown>;
	/** Begins to take messages. Call it after the HTTP server listens, and call `stop` if it rejects. */
	start(): Promise<void>;
	/** Has the code that takes readings compiled, by made-up ones that are not stored; for a process of its own. */
	warmUp(): Promise<void>;
	/** Port of MQTT over TCP, once started. */
	mqttPort(): number;
	/** Port of MQTT over TLS; undefined where that is off. */
	mqttsPort(): number | undefined;
	/** Follows gateway.yaml from now on. Call it once, after `start`. */
	follow(configuration: StartedConfiguration, adapt?: Adapt): void;
	/**
	 * Stops taking messages; resolves when those under way are durable. What they brought is still delivered until
	 * `stop`.
	 */
	stopIntake(): Promise<void>;
}

/**
 * Opens the gateway's parts from the log outwards, so that each finds open what it hands on to:
 *
 *   storage     log, rejected list, rooms, registry, MQTT sessions ...     everything on disk
 *      ▲
 *   intake      decode ─▶ normalize ─▶ log | rejected list                 the one way in
 *      ▲
 *   uplinks     log ─▶ relay ─▶ Redis        (with REDIS_URL)
 *      ▲        log ─▶ bridges ─▶ remote MQTT brokers, and what these send ─▶ intake
 *      │        bus, HTTP ─▶ downlink ─▶ lines to the devices ─▶ answers
 *   sources     serial, MQTT, HTTP, Socket.IO ─▶ intake; the acknowledgement goes back when the reading is durable
 *      ▲
 *   operations  HTTP API, control socket, metrics, changes of gateway.yaml
 *
 * They are closed in reverse order, also when one of them cannot be opened. The ways in are stopped before all else.
 * Without Redis, the services read the log themselves.
 * @throws what a part cannot be opened for; then nothing is left open
 */
export async function createGateway(parts: GatewayParts): Promise<Gateway> {
	const { clock, log, tokens, logger } = parts;
	const lifecycle = new Lifecycle(logger);
	const waysIn = new Lifecycle(logger);
	tokens.clock = tokenClock(clock, parts.signsElsewhere);

	return lifecycle.stopOnFailure(async () => {
		const storage = await openStorage(parts, lifecycle);
		const intake = openIntake(parts, storage, lifecycle);
		const uplinks = openUplinks(parts, storage, intake, lifecycle);
		const sources = openSources(parts, storage, intake, uplinks);
		const operations = openOperations(parts, storage, intake, uplinks, sources, lifecycle);

		waysIn.onStop('readings under way', () => log.durable().catch(() => undefined));
		waysIn.onStop('sources', () => sources.stop());
		waysIn.onStop('zeroing of rooms', () => storage.rooms.zeroing.stop());
		waysIn.onStop('inbound bridges', () => uplinks.bridges.stopInbound());
		// That the gateway closes its devices' connections says nothing about the devices.
		waysIn.onStop('availability', () => storage.availability.stop());
		waysIn.onStop('configuration', () => operations.configuration.close());
		lifecycle.onStop('ways in', () => waysIn.stop());

		return {
			name: 'gateway',
			router: operations.router,
			ingest: sources.router,
			inFrontOf: (app) => sources.inFrontOf(app),
			attach: (server) => sources.attach(server),
			about: operations.about,
			trouble: async () => operations.trouble(),
			async start() {
				await uplinks.queue();
				await operations.start();
				await storage.rooms.zeroing.start();
				await sources.start();
				await uplinks.connect();
			},
			warmUp: () => intake.warmUp(),
			mqttPort: () => sources.mqtt.port,
			mqttsPort: () => sources.mqtt.tlsPort,
			follow: (configuration, adapt = (config) => config) =>
				operations.configuration.follow(configuration, operations.configurable, logger, adapt),
			stopIntake: () => waysIn.stop(),
			stop: () => lifecycle.stop(),
		};
	});
}
