/** Runs a whole gateway in the test's process. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBus } from '@crowdvision/bus';
import { type Membership, type Reading, type Rejection, STREAMS, TABLES } from '@crowdvision/contracts';
import {
	type CommitWorker,
	type Cursor,
	type DiskFaults,
	Log,
	LogFullError,
	startCommitWorker,
} from '@crowdvision/log';
import {
	closeServer,
	createApp,
	createLogger,
	createServer,
	finishApp,
	Lifecycle,
	type Logger,
	listen,
	probeRoutes,
	Registry,
	Tokens,
} from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import type { TimeSource } from '../clock/time-source.ts';
import { type GatewayConfig, gatewayConfigOf } from '../configuration/gateway-config.ts';
import { openTelemetryLog } from '../gateway/storage.ts';
import { createGateway, type Gateway } from '../gateway.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';

type Settings = Partial<Omit<GatewayConfig, 'log'>> & { log?: Partial<GatewayConfig['log']> };

/** How a GatewayWorld differs from its defaults. */
export interface GatewayWorldOptions {
	settings?: Settings;
	/** Faults of the disk; see breakableDisk. */
	faults?: DiskFaults;
	logger?: Logger;
	/** A data folder to begin with; copied, in its state at this moment, as after a kill -9. */
	copyOf?: string;
	/** The source of the gateway's time; default: this machine. */
	time?: TimeSource;
	/** Wraps the worker that writes the log; see heldDisk. */
	worker?: (real: CommitWorker) => CommitWorker;
	/** Leaves every request to express, also the plain ones to `/ingest`. */
	expressOnly?: boolean;
	/** Runs when the HTTP server listens but the gateway has not started yet. */
	beforeStart?: (port: number) => Promise<void>;
}

/** The response to a request; `body` is empty unless it is JSON. */
export interface Answer {
	status: number;
	headers: Headers;
	text: string;
	body: { accepted?: number; error?: { code: string; message: string; index?: number; path?: string } } & Record<
		string,
		unknown
	>;
}

/**
 * A whole gateway in this process, on free ports and a folder of its own, with the buildings `b1` (of acme) and
 * `foreign` (of other).
 */
export interface GatewayWorld {
	url: string;
	/** `mqtt://host:port` */
	mqttUrl: string;
	/** MQTT over WebSocket. */
	wsUrl: string;
	gateway: Gateway;
	log: Log;
	bus: EmbeddedBus;
	dataDir: string;
	/** A device's token, by default of the domain acme and for building b1. */
	token(
		id: string,
		scope?: { domainName?: string; sensorIds?: string[]; buildingId?: string; generation?: string },
	): Promise<string>;
	account(...memberships: Membership[]): Promise<string>;
	/** Sends a request. A body other than text or bytes is sent as JSON. */
	call(
		method: string,
		path: string,
		options?: { token?: string | undefined; body?: unknown; headers?: Record<string, string> },
	): Promise<Answer>;
	/** Every reading that is durable, oldest first. */
	stored(): Promise<Reading[]>;
	/** The rejected messages of both domains, newest first. */
	rejected(): Promise<Rejection[]>;
	/** Sum of the samples of a metric whose labels match. */
	metric(name: string, labels?: Record<string, string>): Promise<number>;
	/** Fills the log until it refuses; commit the returned cursor to make room. */
	fillLog(): Promise<Cursor>;
	stop(): Promise<void>;
}

/** Starts a gateway. @throws the error for which the gateway does not start; everything is closed again then */
export async function openGatewayWorld(options: GatewayWorldOptions = {}): Promise<GatewayWorld> {
	const { logger = createLogger('test', 'silent') } = options;
	const failures: unknown[] = [];
	const watched = noticing(logger, failures);
	const lifecycle = new Lifecycle(watched);
	const stop = async () => {
		await lifecycle.stop();
		if (failures.length > 0) throw new AggregateError(failures, 'the gateway could not stop cleanly');
	};
	return lifecycle.stopOnFailure(() => open({ ...options, logger: watched }, lifecycle, stop));
}

/** The same logger; what fails while a gateway stops, which is only logged, goes into `failures`. */
function noticing(logger: Logger, failures: unknown[]): Logger {
	const error = ((details: object, message?: string) => {
		if (message === 'stopping: a step failed' && 'err' in details) failures.push(details.err);
		logger.error(details, message);
	}) as Logger['error'];
	return Object.create(logger, { error: { value: error } }) as Logger;
}

/**
 * Whether a file belongs into a copy of a data folder. Temporary files may vanish during the copy, and sockets cannot
 * be copied; a start ignores both.
 */
export function isWorthCopying(path: string): boolean {
	return !path.endsWith('.tmp') && !path.endsWith('.sock');
}

/** A configuration for a gateway on free ports. */
function configOf(dataDir: string, settings: Settings): GatewayConfig {
	const environment = {
		HOST: '127.0.0.1',
		PORT: '0',
		MQTT_PORT: '0',
		DATA_DIR: dataDir,
		JWT_SECRET: SECRET,
		LOG_LEVEL: 'silent',
		RATE_LIMIT: '0',
	};
	const config = gatewayConfigOf(environment, 'gatewayId: test\nlog: {maxBytes: 64MiB, maxAge: 1d}');
	return { ...config, ...settings, log: { ...config.log, ...settings.log } };
}

async function open(
	options: GatewayWorldOptions & { logger: Logger },
	lifecycle: Lifecycle,
	stop: () => Promise<void>,
): Promise<GatewayWorld> {
	const {
		settings = {},
		faults,
		logger,
		copyOf,
		time,
		worker: between = (real) => real,
		beforeStart,
		expressOnly,
	} = options;
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-gateway-'));
	lifecycle.onStop('folder', () => rm(dataDir, { recursive: true, force: true }));
	if (copyOf !== undefined) await cp(copyOf, dataDir, { recursive: true, filter: isWorthCopying });
	const worker = lifecycle.own('commit thread', between(startCommitWorker(faults)), (part) => part.close());
	const config = configOf(dataDir, settings);
	const { log, clock } = await openTelemetryLog({ config, worker, logger, lifecycle, time });
	const small = await startLogs(dataDir, lifecycle);
	const logs = { [STREAMS.telemetry]: log, ...small };
	const bus = lifecycle.own('bus', new EmbeddedBus({ gatewayId: config.gatewayId, logs }), (part) => part.close());
	await retainBuildings(bus);

	const tokens = new Tokens(SECRET);
	const metrics = new Registry();
	const gateway = await createGateway({ config, log, clock, worker, bus, tokens, logger, metrics });
	lifecycle.onStop('gateway', () => gateway.stop());
	const app = createApp();
	app.use(probeRoutes({ metrics, trouble: () => gateway.trouble(), about: () => gateway.about() }));
	app.use(gateway.ingest);
	app.use(gateway.router);
	finishApp(app, logger);
	const server = createServer(expressOnly ? app : gateway.inFrontOf(app));
	gateway.attach(server);
	lifecycle.onStop('http', () => closeServer(server, 500));
	const port = await listen(server, 0, '127.0.0.1');
	await beforeStart?.(port);
	await gateway.start();
	lifecycle.onStop('intake', () => gateway.stopIntake());

	const url = `http://127.0.0.1:${port}`;
	const call: GatewayWorld['call'] = async (method, path, { token, body, headers = {} } = {}) => {
		const raw =
			body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
		const response = await fetch(`${url}${path}`, {
			method,
			headers: {
				...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
				...(raw === undefined ? {} : { 'content-type': 'application/json' }),
				...headers,
			},
			...(raw === undefined ? {} : { body: raw as string }),
		});
		const text = await response.text();
		const isJson = response.headers.get('content-type')?.includes('json');
		return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
	};
	const account: GatewayWorld['account'] = (...memberships) =>
		tokens.signAccount({ id: 'a1', name: 'Ada', memberships });
	return {
		url,
		mqttUrl: `mqtt://127.0.0.1:${gateway.mqttPort()}`,
		wsUrl: `ws://127.0.0.1:${port}/mqtt`,
		gateway,
		log,
		bus,
		dataDir,
		token: (id, scope) => tokens.signDevice({ id, domainName: 'acme', ...(scope ?? { buildingId: 'b1' }) }),
		account,
		call,
		stored: () => readAll(log),
		async rejected() {
			const everything = await account({ domainName: 'acme', role: 'admin' }, { domainName: 'other', role: 'admin' });
			return (await call('GET', '/rejected', { token: everything })).body.rejected as Rejection[];
		},
		async metric(name, labels = {}) {
			const { text } = await call('GET', '/metrics');
			const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
			const samples = text
				.split('\n')
				.filter((line) => /^[a-z_]+/.exec(line)?.[0] === name && wanted.every((label) => line.includes(label)));
			return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
		},
		async fillLog() {
			const cursor = log.cursor('a consumer that is away');
			for (const size of [60_000, 1000, 0]) {
				const payload = Buffer.from(JSON.stringify({ filler: 'x'.repeat(size) }));
				try {
					for (;;) await log.append([{ payload }]);
				} catch (error) {
					if (!(error instanceof LogFullError)) throw error;
				}
			}
			return cursor;
		},
		stop,
	};
}

/** All readings in the log; skips the records of `fillLog`. */
async function readAll(log: Log): Promise<Reading[]> {
	const readings: Reading[] = [];
	for (let next = log.startOffset; ; ) {
		const read = await log.read(next);
		if (read.next === next) return readings;
		next = read.next;
		for (const { payload } of read.records) {
			const value = JSON.parse(payload.toString()) as Reading | { filler: string };
			if (!('filler' in value)) readings.push(value);
		}
	}
}

/** The logs of the bus's other streams, with a worker of their own that `faults` and `worker` do not affect. */
async function startLogs(dataDir: string, lifecycle: Lifecycle) {
	const worker = lifecycle.own('commit thread of the bus', startCommitWorker(), (part) => part.close());
	const open = async (name: string) => {
		const log = await Log.open({ dir: join(dataDir, 'bus', name), worker, maxBytes: 1024 * 1024 });
		return lifecycle.own(`log ${name}`, log, (part) => part.close());
	};
	return {
		[STREAMS.commands]: await open(STREAMS.commands),
		[STREAMS.commandResults]: await open(STREAMS.commandResults),
	};
}

async function retainBuildings(bus: EmbeddedBus): Promise<void> {
	for (const [id, domain] of [
		['b1', 'acme'],
		['b2', 'acme'],
		['foreign', 'other'],
	] as const) {
		await bus.retain(
			TABLES.buildings,
			id,
			JSON.stringify({ id, name: id, domains: [domain], rooms: [{ id: 'hall', name: 'Hall', capacity: 10 }] }),
		);
	}
	await bus.retain(
		TABLES.sensors,
		'registered',
		JSON.stringify({ sensorId: 'registered', buildingId: 'b1', roomId: 'hall' }),
	);
}

/** A disk whose writes fail between `breakDown` and `mend`. */
export function breakableDisk(): { faults: DiskFaults; breakDown(): void; mend(): void } {
	const failing = new Int32Array(new SharedArrayBuffer(4));
	return {
		faults: { failing },
		breakDown: () => void Atomics.store(failing, 0, 1),
		mend: () => void Atomics.store(failing, 0, 0),
	};
}

/** A disk whose writes wait between `hold` and `release`; `written` counts those that were done. */
export function heldDisk(): {
	worker(real: CommitWorker): CommitWorker;
	hold(): void;
	release(): void;
	written(): number;
} {
	let gate = Promise.withResolvers<void>();
	gate.resolve();
	let written = 0;
	return {
		worker: (real) => ({
			async send(request) {
				await gate.promise;
				const answer = await real.send(request);
				if (request.kind === 'write' && !answer.error) written++;
				return answer;
			},
			close: () => real.close(),
		}),
		hold: () => {
			gate = Promise.withResolvers();
		},
		release: () => gate.resolve(),
		written: () => written,
	};
}

/** Waits for a message with this code, and from this source if given, in the rejected list. */
export function refusedAs(world: GatewayWorld, code: string, source?: string): Promise<Rejection> {
	return waitFor(`a refusal with ${code}`, async () =>
		(await world.rejected()).find(
			(rejection) => rejection.code === code && (source === undefined || rejection.source === source),
		),
	);
}
