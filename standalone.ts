import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createAuth } from '@crowdvision/auth';
import { type Bus, EmbeddedBus, RedisBus } from '@crowdvision/bus';
import { CrowdVisionError, STREAMS } from '@crowdvision/contracts';
import { createGateway, openTelemetryLog, startConfiguration } from '@crowdvision/edge-gateway';
import { createLlm } from '@crowdvision/llm';
import { type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { createNotification } from '@crowdvision/notification';
import {
	closeServer,
	createApp,
	createLogger,
	createServer,
	express,
	finishApp,
	followTokens,
	Lifecycle,
	type Logger,
	limitRequests,
	listen,
	openTokens,
	probeRoutes,
	processMetrics,
	Registry,
	type Request,
	type Response,
	readSettings,
	requestMetrics,
	runMain,
} from '@crowdvision/service-kit';
import { createSocket } from '@crowdvision/socket';
import { openStores } from '@crowdvision/store';
import { createTwin, retentionOf } from '@crowdvision/twin';
import { openDemoLines, startDemo } from './demo/demo.ts';
import { SETTINGS } from './settings.ts';

const DASHBOARD = join(import.meta.dirname, 'frontend', 'dist');
const API_DOCS = join(import.meta.dirname, 'docs', 'api');
const BUS_LOG_BYTES = 16 * 1024 * 1024;

/**
 * Everything in one process, on one HTTP port, with the paths that Caddy serves in the distributed mode:
 *
 *   sensors ─▶ gateway ─▶ log ─┬─ REDIS_URL ─▶ relay ─▶ Redis ─┐
 *                              └─ else: the bus is that log ───┴─▶ auth twin notification socket llm ─▶ browser
 */
await runMain(async () => {
	const settings = readSettings(SETTINGS, process.env);
	const configuration = startConfiguration(process.env);
	const { config } = configuration;
	const logger = createLogger('crowdvision', settings.LOG_LEVEL);
	const lifecycle = new Lifecycle(logger);
	lifecycle.exitOnSignals();
	try {
		mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
		const tokens = openTokens(settings);
		const metrics = new Registry();
		processMetrics(metrics);
		const worker = startCommitWorker();
		lifecycle.onStop('commit thread', () => worker.close());
		const { log, clock } = await openTelemetryLog({ config, worker, logger, lifecycle });
		const bus = config.redisUrl
			? new RedisBus({ url: config.redisUrl, logger })
			: await embeddedBus(log, config.gatewayId, config.dataDir, worker, lifecycle, logger);
		lifecycle.onStop('bus', () => bus.close());
		const links = await followTokens(tokens, bus, logger);
		lifecycle.onStop('tokens', () => links.close());
		forgetOtherMode(log, config.redisUrl !== undefined);
		const stores = await openStores({ dataDir: config.dataDir, mongoUrl: settings.MONGO_URL, logger });
		lifecycle.onStop('stores', () => stores.close());

		const context = { bus, stores, tokens, metrics, dataDir: config.dataDir };
		const named = (name: string) => ({ ...context, logger: logger.child({ service: name }) });
		const auth = await createAuth(named('auth'), settings);
		lifecycle.onStop('auth', () => auth.stop());
		const twin = await createTwin(named('twin'), {
			retention: retentionOf(settings),
			replicas: settings.MONGO_URL !== undefined,
		});
		lifecycle.onStop('twin', () => twin.stop());
		const notification = await createNotification(named('notification'));
		lifecycle.onStop('notification', () => notification.stop());
		const socket = await createSocket(named('socket'));
		lifecycle.onStop('socket', () => socket.stop());
		const llm = await createLlm(named('llm'));
		lifecycle.onStop('llm', () => llm.stop());

		const lines = settings.DEMO ? await openDemoLines(config.dataDir, lifecycle, logger) : undefined;
		const demoPorts = (lines?.ports ?? []).map((path) => ({ path, defaults: { buildingId: 'demo' } }));
		config.serial.push(...demoPorts);
		const gateway = await createGateway({
			config,
			log,
			clock,
			worker,
			bus,
			tokens,
			logger: logger.child({ service: 'gateway' }),
			metrics,
		});
		lifecycle.onStop('gateway', () => gateway.stop());

		const services = [auth, twin, notification, socket, llm, gateway];
		const app = createApp({ trustProxy: settings.TRUST_PROXY });
		app.use(probeRoutes({ metrics, trouble: () => firstTrouble(services), about: () => gateway.about() }));
		app.use(gateway.ingest);
		const limited = limitRequests(settings.RATE_LIMIT);
		for (const service of services)
			app.use(`/${service.name}`, requestMetrics(metrics, service.name), limited, service.router);
		servePages(app);
		finishApp(app, logger);

		const server = createServer(app);
		gateway.attach(server);
		for (const service of services) if (service !== gateway) service.attach?.(server);
		lifecycle.onStop('http', () => closeServer(server));
		lifecycle.onStop('dashboards', () => socket.detach?.());
		lifecycle.onStop('intake', () => gateway.stopIntake());
		const port = await listen(server, config.port, config.host);
		await gateway.start();
		gateway.follow(configuration, (next) => ({ ...next, serial: [...next.serial, ...demoPorts] }));
		const http = `http://${config.host}:${port}`;
		const mqtt = `mqtt://${config.host}:${gateway.mqttPort()}`;
		const greeting = settings.DEMO
			? await startDemo({
					auth,
					twin,
					dataDir: config.dataDir,
					password: settings.DEMO_PASSWORD,
					http,
					mqtt,
					lines,
					lifecycle,
					logger,
				})
			: `open ${http} to create the first account`;
		process.stdout.write(`ready ${http} ${mqtt}\n${greeting}\n`);
	} catch (error) {
		await lifecycle.stop();
		throw error;
	}
});

interface HasTrouble {
	name: string;
	trouble(): Promise<string | undefined>;
}

/** Why the first service that cannot work cannot; undefined if all can. */
async function firstTrouble(services: readonly HasTrouble[]): Promise<string | undefined> {
	for (const service of services) {
		const reason = await service.trouble();
		if (reason) return `${service.name}: ${reason}`;
	}
	return undefined;
}

/** The dashboard at the root, and the API documents. */
function servePages(app: ReturnType<typeof createApp>): void {
	app.use('/docs', securityHeaders, express.static(API_DOCS));
	app.use(securityHeaders, express.static(DASHBOARD, { index: 'index.html', setHeaders: cacheHashed }));
	if (!existsSync(DASHBOARD)) {
		app.get('/', () => {
			throw new CrowdVisionError('unavailable', 'The dashboard is not built; npm start builds it');
		});
	}
}

/** The bus on the gateway's own log, with small logs for the other streams. */
async function embeddedBus(
	telemetry: Log,
	gatewayId: string,
	dataDir: string,
	worker: CommitWorker,
	lifecycle: Lifecycle,
	logger: Logger,
): Promise<Bus> {
	const open = async (name: string, whenFull: 'refuse' | 'drop-oldest') => {
		const log = await Log.open({
			dir: join(dataDir, 'bus', name),
			worker,
			maxBytes: BUS_LOG_BYTES,
			whenFull,
			onIncident: (incident) => logger.error({ incident, stream: name }, 'bus: something is damaged or missing'),
		});
		lifecycle.onStop(`stream ${name}`, () => log.close());
		return log;
	};
	const logs = {
		[STREAMS.telemetry]: telemetry,
		[STREAMS.commands]: await open(STREAMS.commands, 'refuse'),
		[STREAMS.commandResults]: await open(STREAMS.commandResults, 'refuse'),
	};
	return new EmbeddedBus({ gatewayId, logs, deadLog: await open('dead', 'drop-oldest'), logger });
}

/** The cursors of the mode that is not in use would hold the log's records for ever. */
function forgetOtherMode(log: Log, withRedis: boolean): void {
	for (const name of log.cursors().keys()) if (name.startsWith('group:') === withRedis) log.cursor(name).remove();
}

/** What a page of ours may do: nothing from outside, and not in somebody's frame. */
function securityHeaders(_request: Request, response: Response, next: () => void): void {
	response.set({
		'Content-Security-Policy':
			"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		'X-Content-Type-Options': 'nosniff',
		'Referrer-Policy': 'no-referrer',
	});
	next();
}

/** Files whose name holds a hash of their content never change. */
function cacheHashed(response: { setHeader(name: string, value: string): void }, path: string): void {
	const hashed = /-[A-Za-z0-9_-]{8}\.\w+$/.test(path);
	response.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}
