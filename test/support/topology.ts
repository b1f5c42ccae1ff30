import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNullModem, type NullModem } from '@crowdvision/firmware-sim';
import { Tokens } from '@crowdvision/service-kit';
import { type CaddyServer, startCaddy } from '@crowdvision/testing/caddy';
import { type Mongod, startMongod } from '@crowdvision/testing/mongod';
import { freePort } from '@crowdvision/testing/ports';
import { type Exit, type Running, startNode } from '@crowdvision/testing/processes';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { ROOT } from '@crowdvision/testing/root';
import { waitFor } from '@crowdvision/testing/wait';

/** Replicas of each service; those with more than one are told apart by Caddy. */
const REPLICAS = { auth: 1, twin: 1, notification: 2, llm: 1, socket: 2 };
type ServiceName = keyof typeof REPLICAS;
const SERVICES = Object.keys(REPLICAS) as ServiceName[];
const WITH_DATABASE: readonly ServiceName[] = ['auth', 'twin', 'notification', 'llm'];
const SECRET = 'a secret for tests only, of more than 32 characters';
/** Thirteen processes on two cores that have other work too. */
const PATIENCE_MS = 90_000;

interface Stoppable {
	stop(): Promise<unknown>;
}

/** One process, through all its lives on the same port and folder. */
export interface Part {
	/** As `socket-2`, `twin-mongod`, `redis`. */
	readonly name: string;
	/** Of its present life. */
	readonly pid: number;
	readonly port: number;
	/** Ports that it may connect to. */
	readonly mayCall: readonly number[];
	/** kill -9, and start it again. Resolves when it says that it is ready. */
	killAndRestart(): Promise<void>;
	/** What its present life has printed. */
	said(): string;
	/** Ends it for good, by force. */
	stop(): Promise<void>;
}

/** One of our own programs. */
export interface Program extends Part {
	/** SIGTERM; resolves when it has ended. */
	terminate(): Promise<Exit>;
	/** Starts it again after `terminate`. Resolves when it says that it is ready. */
	resume(): Promise<void>;
}

export interface TopologyOptions {
	/** How many processes each service gets; default: two of notification and socket, one of the others. */
	replicas?: Partial<typeof REPLICAS>;
	/** Folder of the checkout whose programs run; default: this one. */
	checkout?: string;
	/** Added to the environment of every program. */
	env?: Record<string, string>;
	/** What gateway.yaml says; default: the gateway's id and its two serial lines. */
	gateway?: object | ((line: { sensors: string }) => object);
	/** Called before any program starts: fills the databases, Redis and the programs' folders. */
	restore?(servers: { dir: string; redis: RedisServer; databases: ReadonlyMap<string, string> }): Promise<void>;
}

/** Everything of docker-compose.yml as processes of this machine. */
export interface Topology {
	/** Through Caddy. */
	readonly http: string;
	readonly mqtt: string;
	readonly caFile: string;
	/** Each program has its DATA_DIR here, under its own name. */
	readonly dir: string;
	/** Sensors' ends of two lines into the gateway. */
	readonly serial: { sensors: string; visitor: string };
	readonly parts: readonly Part[];
	/** Our own programs: the services and the gateway. */
	readonly programs: readonly Program[];
	/** URLs of the services' databases, by service. */
	readonly databases: ReadonlyMap<string, string>;
	readonly redis: RedisServer;
	readonly tokens: Tokens;
	/** Resolves when every program reaches all it depends on. */
	ready(timeoutMs?: number): Promise<void>;
	stop(): Promise<void>;
}

/**
 *   Chromium, sensors ─▶ Caddy (TLS) ─┬─▶ auth, twin, notification ×2, llm ─▶ a MongoDB server each
 *   sensors over MQTT, serial ────────┼─▶ gateway ─▶ its log                  │
 *                                     └─▶ socket ×2                           └─▶ Redis, as all of them
 */
export async function startTopology({
	replicas: wanted = {},
	checkout = ROOT,
	env = {},
	gateway: settings,
	restore,
}: TopologyOptions = {}): Promise<Topology> {
	const replicas = { ...REPLICAS, ...wanted };
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-topology-'));
	const open = { programs: [] as Stoppable[], servers: [] as Stoppable[] };
	const stop = async () => {
		await Promise.all(open.programs.splice(0).map((program) => program.stop()));
		await Promise.all(open.servers.splice(0).map((server) => server.stop()));
		await rm(dir, { recursive: true, force: true, maxRetries: 5 });
	};
	const server = <T extends Stoppable>(started: T): T => {
		open.servers.push(started);
		return started;
	};
	const program = <T extends Stoppable>(started: T): T => {
		open.programs.push(started);
		return started;
	};
	try {
		const lines = { sensors: server(await openLine(dir, 'sensors')), visitor: server(await openLine(dir, 'try')) };
		const [redis, ...databases] = await all([
			startRedis({ appendonly: 'everysec' }).then(server),
			...WITH_DATABASE.map((name) => startMongod({ replicaSet: name }).then(server)),
		]);
		const mongods = new Map(WITH_DATABASE.map((name, index) => [name, databases[index]!]));
		const environment = {
			REDIS_URL: redis.url,
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'warn',
			NODE_COMPILE_CACHE: join(dir, 'compiled'),
			...env,
		};
		const urls = new Map([...mongods].map(([name, { url }]) => [name as string, `${url}/${name}`]));
		await restore?.({ dir, redis, databases: urls });

		const services = await all(
			SERVICES.flatMap((service) =>
				Array.from({ length: replicas[service] }, (_, index) => {
					const mongod = mongods.get(service);
					return startProgram(
						replicas[service] === 1 ? service : `${service}-${index + 1}`,
						join(checkout, `services/${service}/src/main.ts`),
						dir,
						{
							env: { ...environment, ...(mongod && { MONGO_URL: urls.get(service)! }) },
							mayCall: [redis.port, ...(mongod ? [mongod.port] : [])],
						},
					).then((part) => Object.assign(program(part), { service }));
				}),
			),
		);
		const mqttPort = await freePort();
		const config = join(dir, 'gateway.yaml');
		const own = typeof settings === 'function' ? settings({ sensors: lines.sensors.b }) : settings;
		const serial = [lines.sensors.b, lines.visitor.b].map((path) => ({ path }));
		await writeFile(config, JSON.stringify(own ?? { gatewayId: 'gateway', sources: { serial } }));
		const gateway = program(
			await startProgram('gateway', join(checkout, 'edge-gateway/src/main.ts'), dir, {
				env: { ...environment, MQTT_PORT: `${mqttPort}`, GATEWAY_CONFIG: config },
				mayCall: [redis.port],
			}),
		);

		const upstreams = SERVICES.map((name) => [
			`${name.toUpperCase()}_UPSTREAM`,
			services
				.filter(({ service }) => service === name)
				.map(({ port }) => `127.0.0.1:${port}`)
				.join(' '),
		]);
		const caddy = server(
			await startCaddy({ ...Object.fromEntries(upstreams), GATEWAY_UPSTREAM: `127.0.0.1:${gateway.port}` }),
		);
		const programs = [...services, gateway];
		const topology: Topology = {
			http: caddy.url,
			mqtt: `mqtt://127.0.0.1:${mqttPort}`,
			caFile: caddy.caFile,
			dir,
			serial: { sensors: lines.sensors.a, visitor: lines.visitor.a },
			programs,
			databases: urls,
			parts: [
				...programs,
				serverPart('redis', redis),
				...[...mongods].map(([name, mongod]) => serverPart(`${name}-mongod`, mongod)),
				caddyPart(caddy),
			],
			redis,
			tokens: new Tokens(SECRET),
			ready: async (timeoutMs = PATIENCE_MS) =>
				void (await Promise.all(programs.map((program) => isReady(program, timeoutMs)))),
			stop,
		};
		await topology.ready();
		return topology;
	} catch (error) {
		await stop();
		throw error;
	}
}

/** As Promise.all, but when it rejects, none of them is still starting. */
async function all<T extends readonly unknown[]>(
	starting: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
	await Promise.allSettled(starting);
	return Promise.all(starting) as unknown as Promise<T>;
}

async function openLine(dir: string, name: string): Promise<NullModem & Stoppable> {
	const line = await createNullModem({ dir: join(dir, 'serial'), names: [name, `gateway-${name}`] });
	return Object.assign(line, { stop: () => line.close() });
}

async function startProgram(
	name: string,
	entry: string,
	dir: string,
	options: { env: Record<string, string>; mayCall: number[] },
): Promise<Program> {
	const port = await freePort();
	const dataDir = join(dir, name);
	await mkdir(dataDir, { recursive: true });
	const env = { HOST: '127.0.0.1', PORT: `${port}`, DATA_DIR: dataDir, GATEWAY_CONFIG: undefined, ...options.env };
	const launch = () => startNode(entry, { env, ready: /^ready /m, timeoutMs: PATIENCE_MS });
	let running: Running = await launch();
	return {
		name,
		get pid() {
			return running.pid;
		},
		port,
		mayCall: options.mayCall,
		killAndRestart: async () => {
			await running.kill();
			running = await launch();
		},
		said: () => `${running.stdout()}${running.stderr()}`,
		terminate: () => running.stop(),
		resume: async () => {
			running = await launch();
		},
		stop: async () => void (await running.kill()),
	};
}

function serverPart(name: string, server: RedisServer | Mongod): Part {
	return {
		name,
		get pid() {
			return server.pid;
		},
		port: server.port,
		mayCall: [server.port],
		killAndRestart: () => server.restart(),
		said: () => '',
		stop: () => server.stop(),
	};
}

function caddyPart(caddy: CaddyServer): Part {
	return {
		name: 'caddy',
		get pid() {
			return caddy.pid;
		},
		port: Number(new URL(caddy.url).port),
		mayCall: [],
		killAndRestart: () => caddy.restart(),
		said: () => caddy.log(),
		stop: () => caddy.stop(),
	};
}

/** Rejects with what it said last, and printed. */
async function isReady(program: Part, timeoutMs: number): Promise<void> {
	let last = 'nothing';
	const probe = async () => {
		const response = await fetch(`http://127.0.0.1:${program.port}/readyz`, { signal: AbortSignal.timeout(5000) });
		last = await response.text();
		return response.ok;
	};
	await waitFor(`${program.name} to be ready`, probe, timeoutMs).catch((error: Error) => {
		throw new Error(`${error.message}; it said ${last}\n${program.said()}`, { cause: error });
	});
}
