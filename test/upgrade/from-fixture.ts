/** Starts the product on the stored data of an earlier version. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { trust } from '@crowdvision/testing/trust';
import { startTopology, type Topology } from '../support/topology.ts';
import type { Answer } from './answers.ts';
import type { FrontDoor } from './front-door.ts';
import { decodeDump, restoreDatabase } from './mongo-dump.ts';
import type { PutIn } from './put-in.ts';
import { restoreRedis } from './redis-dump.ts';

const run = promisify(execFile);

/** What a program says that devices can reach. */
const READY = /^ready (http:\S+) (mqtt:\S+)$/m;

/** The version whose data is kept here. */
const BEFORE = 'e0e408f';

/** `{folder}/{name}-{version}…`: the files of a fixture. */
export const fileOf = (name: string) => join(import.meta.dirname, `${name}-${BEFORE}`);

/** gateway.yaml of every composition that a fixture is of. */
export const GATEWAY = { gatewayId: 'fixture' };

/** JWT_SECRET and AUTH_KEY of the distributed composition; the embedded one makes its own. */
export const SECRETS = {
	JWT_SECRET: 'signs the tokens of a fixture, and nothing else',
	AUTH_KEY: 'seals the secrets of a fixture, and nothing else',
};

/** What a fixture holds. */
export interface Snapshot {
	/** When the product was stopped, epoch ms: nothing in it is newer. */
	stoppedAt: number;
	putIn: PutIn;
	/** What the version that wrote it answered at the end. */
	answers: Answer[];
}

/** A reading that was acknowledged. */
export interface Acknowledged {
	sensorId: string;
	metric: string;
	value: number;
	observedAt: number;
}

/** What contents-….json.gz says: what is in the archives beside it. */
export interface Contents {
	/** data-….tar.gz: a DATA_DIR of the embedded composition. */
	embedded: Snapshot;
	/** data-…-killed.tar.gz: the same folder later, after kill -9; with what was acknowledged since. */
	killed: { stoppedAt: number; acknowledged: Acknowledged[] };
	/**
	 * mongo-….json.gz: the databases of the services. distributed-….tar.gz: the programs' folders and redis.resp, the
	 * commands that fill Redis.
	 */
	distributed: Snapshot;
}

const readKept = async (name: string) => gunzipSync(await readFile(`${fileOf(name)}.json.gz`)).toString();

export const contents = async (): Promise<Contents> => JSON.parse(await readKept('contents')) as Contents;

/** The present product on the data of the version before. */
export interface FromFixture extends FrontDoor, Snapshot {
	/** The product's time, epoch ms. */
	now(): number;
	stop(): Promise<void>;
}

export interface StartOptions {
	/** How long after the product of before was stopped this one starts. Default a minute. */
	laterMs?: number;
	/** Added to the environment of every program. */
	env?: Record<string, string>;
}

/** The embedded whole on a copy of the kept folder; `killed`: the one that a kill -9 left. */
export async function startEmbedded({
	killed = false,
	laterMs = 60_000,
	env = {},
}: StartOptions & { killed?: boolean } = {}): Promise<FromFixture & { process: Running; dataDir: string }> {
	const kept = await contents();
	const stoppedAt = killed ? kept.killed.stoppedAt : kept.embedded.stoppedAt;
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-upgrade-'));
	const remove = () => rm(dir, { recursive: true, force: true });
	try {
		const dataDir = join(dir, 'data');
		await unpack(`${fileOf('data')}${killed ? '-killed' : ''}.tar.gz`, dataDir);
		const shift = stoppedAt + laterMs - Date.now();
		const { process, ...door } = await startOn(dataDir, { env: { ...shifted(shift), ...env } });
		return {
			...kept.embedded,
			...door,
			process,
			dataDir,
			stoppedAt,
			now: () => Date.now() + shift,
			stop: async () => {
				await process.stop();
				await remove();
			},
		};
	} catch (error) {
		await remove();
		throw error;
	}
}

/** The embedded whole on a folder of its own; `checkout`: the folder of its code. */
export async function startOn(
	dataDir: string,
	{ checkout = '', env = {} }: { checkout?: string; env?: Record<string, string> } = {},
): Promise<FrontDoor & { process: Running }> {
	const config = `${dataDir}.gateway.yaml`;
	await writeFile(config, JSON.stringify(GATEWAY));
	const process = await startNode(join(checkout, 'standalone.ts'), {
		env: {
			PORT: '0',
			MQTT_PORT: '0',
			DATA_DIR: dataDir,
			DEMO: '0',
			LOG_LEVEL: 'warn',
			GATEWAY_CONFIG: config,
			REDIS_URL: undefined,
			MONGO_URL: undefined,
			JWT_SECRET: undefined,
			AUTH_KEY: undefined,
			...env,
		},
		ready: READY,
		timeoutMs: 30_000,
	});
	const [, http, mqtt] = process.ready as [string, string, string];
	return { http, mqtt, process };
}

/** The gateway alone, without a bus, on the folder of the embedded whole: it knows only what its own files say. */
export async function startGatewayAlone(): Promise<FromFixture> {
	const { embedded } = await contents();
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-upgrade-'));
	const remove = () => rm(dir, { recursive: true, force: true });
	try {
		await unpack(`${fileOf('data')}.tar.gz`, dir);
		const shift = embedded.stoppedAt + 60_000 - Date.now();
		const config = join(dir, 'gateway.yaml');
		await writeFile(config, JSON.stringify(GATEWAY));
		const process = await startNode('edge-gateway/src/main.ts', {
			env: {
				PORT: '0',
				MQTT_PORT: '0',
				DATA_DIR: dir,
				LOG_LEVEL: 'warn',
				GATEWAY_CONFIG: config,
				REDIS_URL: undefined,
				JWT_SECRET: (await readFile(join(dir, 'jwt-secret'), 'utf8')).trim(),
				...shifted(shift),
			},
			ready: READY,
			timeoutMs: 30_000,
		});
		const [, http, mqtt] = process.ready as [string, string, string];
		const stop = async () => {
			await process.stop();
			await remove();
		};
		return { ...embedded, http, mqtt, now: () => Date.now() + shift, stop };
	} catch (error) {
		await remove();
		throw error;
	}
}

/** Every service, the gateway and Caddy as processes, with the kept databases, folders and Redis. */
export async function startDistributed({
	laterMs = 60_000,
	env = {},
}: StartOptions = {}): Promise<FromFixture & { topology: Topology }> {
	const { distributed } = await contents();
	const shift = distributed.stoppedAt + laterMs - Date.now();
	const databasesKept = decodeDump(await readKept('mongo'));
	const topology = await startTopology({
		replicas: { notification: 1, socket: 1 },
		env: { ...SECRETS, ...shifted(shift), ...env },
		gateway: GATEWAY,
		restore: async ({ dir, redis, databases }) => {
			await unpack(`${fileOf('distributed')}.tar.gz`, dir);
			await restoreRedis(redis, await readFile(join(dir, 'redis.resp')));
			await Promise.all([...databases].map(([name, url]) => restoreDatabase(url, databasesKept[name] ?? [])));
		},
	});
	trust(topology.caFile);
	const { http, mqtt, stop } = topology;
	return { ...distributed, http, mqtt, topology, now: () => Date.now() + shift, stop };
}

/** Environment of a program whose clocks are so many ms ahead. */
const shifted = (ms: number): Record<string, string> => ({
	NODE_OPTIONS: `--import=${new URL('./clock.ts', import.meta.url).href}`,
	CLOCK_SHIFT_MS: `${ms}`,
});

async function unpack(archive: string, dir: string): Promise<void> {
	await mkdir(dir, { recursive: true, mode: 0o700 });
	await run('tar', ['-xzf', archive, '-C', dir, '--no-same-owner'], { timeout: 20_000 });
}
