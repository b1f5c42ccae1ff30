import type { Server } from 'node:http';
import { Registry } from 'prom-client';
import { closeServer, createApp, createServer, finishApp, listen, probeRoutes, type Router } from './http/http.ts';
import { limitRequests } from './http/rate-limit.ts';
import { processMetrics, requestMetrics } from './http/request-metrics.ts';
import { createLogger, type Logger } from './logger.ts';
import { Lifecycle } from './process/lifecycle.ts';
import { COMMON_SETTINGS, readSettings, SettingsError } from './process/settings.ts';
import { openTokens } from './tokens/token-setup.ts';
import type { Tokens } from './tokens/tokens.ts';

/** What a service is, once built: routes without its prefix (Caddy strips it), a readiness, a stop. */
export interface Service {
	name: string;
	router: Router;
	/**
	 * Routes that share a path with the probes and decide themselves which requests they take; mounted before them, in
	 * the service's own process only.
	 */
	beforeProbes?: Router;
	/** Undefined when every dependency is reached, else the reason for a person. */
	trouble(): Promise<string | undefined>;
	stop(): Promise<void>;
	/** For services that speak more than requests, such as Socket.IO. Called before the server listens. */
	attach?(server: Server): void;
	/** Ends the connections of `attach`, which closing the HTTP server would wait for. */
	detach?(): Promise<void>;
}

/** What every service is given, in both compositions. */
export interface ServiceContext {
	logger: Logger;
	tokens: Tokens;
	metrics: Registry;
	/** Folder for this process's files. */
	dataDir: string;
}

/**
 * Where a service in its own process finds the bus.
 * @throws SettingsError without REDIS_URL: alone in its process, a service would talk to nobody.
 */
export function requireRedis(settings: { REDIS_URL?: string | undefined }): string {
	if (settings.REDIS_URL) return settings.REDIS_URL;
	throw new SettingsError(
		'REDIS_URL is not set, but a service in its own process needs Redis to talk to the others (without Redis, run them all with npm start)',
	);
}

/**
 * Runs one service as its own process: settings, logger, tokens, an HTTP server with probes, signals.
 * `build` gets the context and the settings, and registers on `lifecycle` what it opened.
 */
export async function runService(
	name: string,
	build: (
		context: ServiceContext,
		settings: ReturnType<typeof readSettings<typeof COMMON_SETTINGS>>,
		lifecycle: Lifecycle,
	) => Promise<Service>,
): Promise<void> {
	const settings = readSettings(COMMON_SETTINGS, process.env);
	const logger = createLogger(name, settings.LOG_LEVEL);
	const lifecycle = new Lifecycle(logger);
	lifecycle.exitOnSignals();
	const metrics = new Registry();
	processMetrics(metrics);
	const tokens = openTokens(settings);
	try {
		const service = await build({ logger, tokens, metrics, dataDir: settings.DATA_DIR }, settings, lifecycle);
		lifecycle.onStop(name, () => service.stop());
		const app = createApp({ trustProxy: settings.TRUST_PROXY });
		if (service.beforeProbes) app.use(service.beforeProbes);
		app.use(probeRoutes({ metrics, trouble: () => service.trouble() }));
		app.use(requestMetrics(metrics, name), limitRequests(settings.RATE_LIMIT), service.router);
		finishApp(app, logger);
		const server = createServer(app);
		service.attach?.(server);
		lifecycle.onStop('http', () => closeServer(server));
		lifecycle.onStop('connections', () => service.detach?.());
		const port = await listen(server, settings.PORT, settings.HOST);
		process.stdout.write(`ready ${name} http://${settings.HOST}:${port}\n`);
	} catch (error) {
		await lifecycle.stop();
		throw error;
	}
}
