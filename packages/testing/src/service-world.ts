/** Runs a service in the test's process, on an embedded bus and SQLite. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, EmbeddedBus } from '@crowdvision/bus';
import { METRICS, type Membership, type Reading, STREAMS, type StreamName } from '@crowdvision/contracts';
import { Log, type LogOptions, startCommitWorker } from '@crowdvision/log';
import {
	closeServer,
	createApp,
	createLogger,
	createServer,
	finishApp,
	type Logger,
	listen,
	probeRoutes,
	Registry,
	type Service,
	type ServiceContext,
	Site,
	type SiteOptions,
	Tokens,
} from '@crowdvision/service-kit';
import { openStores, type Stores } from '@crowdvision/store';
import { checkAnswer } from './api-check.ts';

/** What a service needs to run: the embedded bus on a durable log, SQLite, tokens, and a folder. */
export interface ServiceParts extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface Answer<T> {
	status: number;
	headers: Headers;
	/** Undefined for an empty one; a string for what is not JSON. */
	body: T;
}

export interface Served {
	url: string;
	/** Requests a path; with a token, a JSON body and headers where they are given. */
	call<T = unknown>(
		method: string,
		path: string,
		options?: { token?: string; body?: unknown; headers?: Record<string, string> },
	): Promise<Answer<T>>;
	/** Stops accepting, then stops the service. */
	close(): Promise<void>;
}

export interface ServiceWorld {
	/** Of the present run: others after `restart`. */
	readonly parts: ServiceParts;
	/** Serves what `create` makes, by itself, as its own process would. Ends with the world. */
	serve<S extends Service>(create: (parts: ServiceParts) => Promise<S>): Promise<Served & { service: S }>;
	/** The token of an account with these memberships. */
	token(...memberships: Membership[]): Promise<string>;
	/** Appends readings to `telemetry`; resolves with their positions when they are durable. */
	tell(...readings: Reading[]): Promise<string[]>;
	/** Ends everything and begins again on the same folder, with nothing served. */
	restart(): Promise<void>;
	stop(): Promise<void>;
}

const SECRET = 'a secret for tests only, of more than 32 characters';

/**
 * A folder with a bus and a store, removed by `stop`. `bus` replaces the embedded one; it is closed with the rest.
 * `log` bounds the embedded one's logs. `mongoUrl` has MongoDB keep what services keep; nobody removes it from there.
 */
export async function openServiceWorld(
	options: { bus?: () => Bus; logger?: Logger; log?: LogBounds; mongoUrl?: string; site?: SiteOptions } = {},
): Promise<ServiceWorld> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-service-'));
	const tokens = new Tokens(SECRET);
	const site = new Site(options.site);
	const served = new Set<Served>();
	const begin = async () => {
		const { bus, close } = options.bus
			? { bus: options.bus(), close: async () => {} }
			: await openEmbeddedBus(dataDir, options.log);
		const logger = options.logger ?? createLogger('test', 'silent');
		const stores = await openStores({ dataDir, mongoUrl: options.mongoUrl, logger });
		const parts: ServiceParts = {
			bus,
			stores,
			tokens,
			logger,
			dataDir,
			site,
			now: () => Date.now(),
			metrics: new Registry(),
		};
		const end = async () => {
			for (const one of [...served]) await one.close();
			await bus.close();
			await close();
			await stores.close();
		};
		return { parts, end };
	};
	let present = await begin();
	return {
		get parts() {
			return present.parts;
		},
		serve: async (create) => {
			// One registry each, as in processes of their own.
			const parts = { ...present.parts, metrics: new Registry() };
			const service = await create(parts);
			const one = await serve(service, parts);
			const close = async () => {
				if (served.delete(tracked)) await one.close();
			};
			const tracked = { ...one, service, close };
			served.add(tracked);
			return tracked;
		},
		token: (...memberships) => tokens.signAccount({ id: randomUUID(), name: 'Ada', memberships }),
		tell: (...readings) =>
			present.parts.bus.append(
				STREAMS.telemetry,
				readings.map((one) => JSON.stringify(one)),
			),
		restart: async () => {
			await present.end();
			present = await begin();
		},
		stop: async () => {
			await present.end();
			await rm(dataDir, { recursive: true, force: true });
		},
	};
}

type LogBounds = Pick<LogOptions, 'maxBytes' | 'segmentBytes' | 'whenFull'>;

/** The bus on logs below `dir`, and how to close what is under it. */
export async function openEmbeddedBus(
	dir: string,
	bounds: LogBounds = { maxBytes: 64 * 1024 * 1024 },
): Promise<{ bus: Bus; close(): Promise<void> }> {
	const worker = startCommitWorker();
	const open = async (stream: StreamName) =>
		[stream, await Log.open({ dir: join(dir, 'bus', stream), worker, ...bounds })] as const;
	const logs = Object.fromEntries(await Promise.all(Object.values(STREAMS).map(open))) as Record<StreamName, Log>;
	return {
		bus: new EmbeddedBus({ logs }),
		close: async () => {
			for (const log of Object.values(logs)) await log.close();
			await worker.close();
		},
	};
}

async function serve(service: Service, { logger, metrics, site }: ServiceParts): Promise<Served> {
	const app = createApp(site);
	if (service.beforeProbes) app.use(service.beforeProbes);
	app.use(probeRoutes({ metrics, trouble: () => service.trouble() }));
	app.use(service.router);
	finishApp(app, logger);
	const server = createServer(app);
	service.attach?.(server);
	const url = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`;
	return {
		url,
		call: async <T>(
			method: string,
			path: string,
			{ token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
		) => {
			const response = await fetch(`${url}${path}`, {
				method,
				headers: {
					...(token && { authorization: `Bearer ${token}` }),
					...(body !== undefined && { 'content-type': 'application/json' }),
					...headers,
				},
				...(body !== undefined && { body: JSON.stringify(body) }),
			});
			const text = await response.text();
			const isJson = response.headers.get('content-type')?.includes('json');
			const answered = (isJson ? JSON.parse(text) : text || undefined) as T;
			// A probe's text is not of the API.
			if (isJson || text === '') checkAnswer(method, `/${service.name}${path}`, response.status, answered);
			return { status: response.status, headers: response.headers, body: answered };
		},
		close: async () => {
			await service.stop();
			await closeServer(server, 500);
		},
	};
}

let lastReading = 0;

/** A reading of `metric` in a room, as the gateway would send it; its id is unique unless given. */
export function readingOf(
	given: Pick<Reading, 'buildingId' | 'roomId' | 'metric' | 'value'> & Partial<Reading>,
): Reading {
	const now = Date.now();
	return {
		id: `r-${++lastReading}`,
		sensorId: `${given.roomId}-${given.metric}`,
		unit: METRICS[given.metric as keyof typeof METRICS].unit,
		observedAt: now,
		receivedAt: Math.max(now, given.observedAt ?? now),
		gatewayId: 'test',
		transport: 'http',
		timeQuality: 'synced',
		...given,
	};
}
