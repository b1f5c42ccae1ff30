/** CrowdVision in one process: the gateway, the services and the dashboard. */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { createGateway, openTelemetryLog, startConfiguration, tokenClock } from '@crowdvision/edge-gateway';
import { startCommitWorker } from '@crowdvision/log';
import {
	authorityOf,
	closeServer,
	createApp,
	createLogger,
	createServer,
	finishApp,
	followTokens,
	Lifecycle,
	type Logger,
	limitRequests,
	listen,
	metricsGuard,
	openTokens,
	probeRoutes,
	processMetrics,
	Registry,
	readSettings,
	requestMetrics,
	runMain,
	type Service,
	type Site,
	siteOf,
} from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { openDemoLines, startDemo } from './demo/demo.ts';
import { SETTINGS } from './settings.ts';
import { openBus } from './standalone/bus.ts';
import { servePages } from './standalone/pages.ts';
import { openServices, type StandaloneSettings } from './standalone/services.ts';

type Gateway = Awaited<ReturnType<typeof createGateway>>;

/**
 * Everything in one process, on one HTTP port, with the paths that Caddy serves in the distributed mode:
 *
 *   sensors ─▶ gateway ─▶ log ─┬─ REDIS_URL ─▶ relay ─▶ Redis ─┐
 *                              └─ else: the bus is that log ───┴─▶ auth twin notification socket llm ─▶ browser
 *
 * The parts are opened in this order: log, bus, stores, services, gateway, HTTP server, demo. They are closed in
 * reverse order; before the HTTP server closes, the gateway stops taking readings.
 */
async function main(): Promise<void> {
	const settings = readSettings(SETTINGS, process.env);
	const configuration = startConfiguration(process.env);
	const { config } = configuration;
	const logger = createLogger('crowdvision', settings.LOG_LEVEL);
	const lifecycle = new Lifecycle(logger);
	lifecycle.onStop('lock of the data folder', () => configuration.lock.release());
	lifecycle.exitOnSignals();
	await lifecycle.stopOnFailure(async () => {
		const { dataDir } = config;
		mkdirSync(dataDir, { recursive: true, mode: 0o700 });
		const tokens = openTokens(settings);
		const site = siteOf(settings);
		const metrics = new Registry();
		processMetrics(metrics);
		const worker = startCommitWorker();
		lifecycle.onStop('commit thread', () => worker.close());
		const { log, clock } = await openTelemetryLog({ config, worker, logger, lifecycle });
		tokens.clock = tokenClock(clock);
		const now = () => clock.now();
		const bus = await openBus({ log, config, worker, lifecycle, logger });
		lifecycle.own('tokens', await followTokens(tokens, bus, logger));
		const stores = lifecycle.own('stores', await openStores({ dataDir, mongoUrl: settings.MONGO_URL, logger }));
		const services = await openServices(
			{ bus, stores, tokens, metrics, site, now, dataDir, logger },
			settings,
			lifecycle,
		);

		const lines = settings.DEMO ? await openDemoLines(dataDir, lifecycle, logger) : undefined;
		const demoPorts = lines?.ports ?? [];
		config.serial.push(...demoPorts);
		const gatewayLogger = logger.child({ service: 'gateway' });
		const gateway = await createGateway({ config, log, clock, worker, bus, tokens, logger: gatewayLogger, metrics });
		lifecycle.onStop('gateway', () => gateway.stop());

		const server = serverOf(Object.values(services), gateway, { settings, site, metrics, logger });
		lifecycle.onStop('http', () => closeServer(server));
		lifecycle.onStop('dashboards', () => services.socket.detach?.());
		lifecycle.onStop('intake', () => gateway.stopIntake());
		const port = await listen(server, config.port, config.host);
		await gateway.start();
		gateway.follow(configuration, (next) => ({ ...next, serial: [...next.serial, ...demoPorts] }));

		const http = `http://${authorityOf(config.host, port)}`;
		const mqtt = `mqtt://${authorityOf(config.host, gateway.mqttPort())}`;
		const { auth, twin } = services;
		const password = settings.DEMO_PASSWORD;
		const greeting = settings.DEMO
			? await startDemo({ auth, twin, dataDir, password, http, mqtt, lines, lifecycle, logger })
			: `open ${http} to create the first account`;
		process.stdout.write(`ready ${http} ${mqtt}\n${greeting}\n`);
	});
}

/** The HTTP server: probes, the gateway's intake, each service below its name, and the pages. */
function serverOf(
	services: readonly Service[],
	gateway: Gateway,
	{ settings, site, metrics, logger }: { settings: StandaloneSettings; site: Site; metrics: Registry; logger: Logger },
): Server {
	const all = [...services, gateway];
	const app = createApp(site);
	app.use(
		probeRoutes({
			metrics,
			metricsGuard: metricsGuard(settings, site),
			trouble: () => firstTrouble(all),
			about: () => gateway.about(),
		}),
	);
	app.use(gateway.ingest);
	const limited = limitRequests(settings.RATE_LIMIT);
	for (const { name, router } of all) app.use(`/${name}`, requestMetrics(metrics, name), limited, router);
	servePages(app);
	finishApp(app, logger);
	const server = createServer(gateway.inFrontOf(app));
	gateway.attach(server);
	for (const service of services) service.attach?.(server);
	return server;
}

/** The trouble of the first service that has one; undefined when all are well. */
async function firstTrouble(services: readonly Service[]): Promise<string | undefined> {
	for (const service of services) {
		const reason = await service.trouble();
		if (reason) return `${service.name}: ${reason}`;
	}
	return undefined;
}

await runMain(main);
