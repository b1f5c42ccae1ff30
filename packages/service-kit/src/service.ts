import type { Server } from 'node:http';
import { Registry } from 'prom-client';
import { createApp, finishApp, type Router } from './http/app.ts';
import { metricsGuard } from './http/metrics-access.ts';
import { probeRoutes } from './http/probes.ts';
import { limitRequests } from './http/rate-limit.ts';
import { processMetrics, requestMetrics } from './http/request-metrics.ts';
import { authorityOf, closeServer, createServer, listen } from './http/server.ts';
import { Site } from './http/site.ts';
import { createLogger, type Logger } from './logger.ts';
import { Lifecycle } from './process/lifecycle.ts';
import { COMMON_SETTINGS, readSettings, SettingsError } from './process/settings.ts';
import { openTokens } from './tokens/open-tokens.ts';
import type { Tokens } from './tokens/tokens.ts';

/** A running service: its routes without the path prefix (Caddy strips it), its readiness, how to stop it. */
export interface Service {
	name: string;
	router: Router;
	/**
	 * Routes that share a path with the probes and pass on the requests that are not theirs. Mounted before the probes,
	 * only where the service has a process of its own.
	 */
	beforeProbes?: Router;
	/** Undefined when every dependency is reached, else the reason for a person. */
	trouble(): Promise<string | undefined>;
	stop(): Promise<void>;
	/** For services that use more of the server than requests, such as Socket.IO. Called before the server listens. */
	attach?(server: Server): void;
	/** Ends the connections of `attach`; closing the HTTP server would wait for them. */
	detach?(): Promise<void>;
}

/** What every service gets, in its own process and in the standalone process. */
export interface ServiceContext {
	logger: Logger;
	tokens: Tokens;
	metrics: Registry;
	/**
	 * Epoch ms, by the clock that readings and tokens are judged by: beside a gateway that gateway's own, else the
	 * system's.
	 */
	now: () => number;
	/** Where browsers find the services, and who sends a request. */
	site: Site;
	/** Folder for the files of this process. */
	dataDir: string;
}

/**
 * The URL of the bus, for a service in its own process.
 * @throws SettingsError without REDIS_URL: the service could not reach the others.
 */
export function requireRedis(settings: { REDIS_URL?: string | undefined }): string {
	if (settings.REDIS_URL) return settings.REDIS_URL;
	throw new SettingsError(
		'REDIS_URL is not set: a service in its own process needs Redis to reach the others. ' +
			'Without Redis, run all of them in one process with npm start',
	);
}

/** The site that TRUST_PROXY and PUBLIC_URL describe. */
export function siteOf(settings: { TRUST_PROXY: readonly string[]; PUBLIC_URL?: string | undefined }): Site {
	return new Site({ trustProxy: settings.TRUST_PROXY, publicUrl: settings.PUBLIC_URL });
}

/**
 * Runs one service in its own process, with settings, logger, tokens, an HTTP server with probes, and signal handling.
 * `build` gets the context and the settings, and registers what it opens on `lifecycle`. Prints `ready <name> <url>` to
 * stdout once the service listens.
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
	const site = siteOf(settings);
	try {
		const service = await build(
			{ logger, tokens, metrics, site, now: Date.now, dataDir: settings.DATA_DIR },
			settings,
			lifecycle,
		);
		lifecycle.onStop(name, () => service.stop());
		const app = createApp(site);
		if (service.beforeProbes) app.use(service.beforeProbes);
		app.use(probeRoutes({ metrics, metricsGuard: metricsGuard(settings, site), trouble: () => service.trouble() }));
		app.use(requestMetrics(metrics, name), limitRequests(settings.RATE_LIMIT), service.router);
		finishApp(app, logger);
		const server = createServer(app);
		service.attach?.(server);
		lifecycle.onStop('http', () => closeServer(server));
		lifecycle.onStop('connections', () => service.detach?.());
		const port = await listen(server, settings.PORT, settings.HOST);
		process.stdout.write(`ready ${name} http://${authorityOf(settings.HOST, port)}\n`);
	} catch (error) {
		await lifecycle.stop();
		throw error;
	}
}
