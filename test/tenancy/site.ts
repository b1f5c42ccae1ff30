/** Both compositions, without the demo, as the tests of tenancy need them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership, TableName } from '@crowdvision/contracts';
import { createNullModem } from '@crowdvision/firmware-sim';
import { Tokens } from '@crowdvision/service-kit';
import { startNode } from '@crowdvision/testing/processes';
import { trust } from '@crowdvision/testing/trust';
import { Redis } from 'ioredis';
import { type Program, startTopology } from '../support/topology.ts';

export interface Reply {
	status: number;
	text: string;
}

/** A running composition, seen through its front door, by holders of any token. */
export interface Site {
	readonly http: string;
	readonly mqtt: string;
	/** A device's end of a line into the gateway, on which each device states its token first. */
	readonly serial: string;
	readonly tokens: Tokens;
	/** Its programs by name, where it has several. */
	readonly programs: ReadonlyMap<string, Program>;
	/** The present keys of a retained table, where it has a Redis. */
	readonly keysOf: ((table: TableName) => Promise<string[]>) | undefined;
	/** A token of an account with these memberships. */
	token(memberships: Membership[], accountId?: string): Promise<string>;
	ask(token: string, method: string, path: string, body?: unknown): Promise<Reply>;
	/** As `ask`, with the parsed body. @throws Error for a status of 400 or above */
	call<T>(token: string, method: string, path: string, body?: unknown): Promise<T>;
	stop(): Promise<void>;
}

type SiteParts = Pick<Site, 'http' | 'mqtt' | 'serial' | 'tokens' | 'stop'> &
	Partial<Pick<Site, 'programs' | 'keysOf'>>;

/** The gateway's configuration with its end of a serial line. */
const gatewayWith = (path: string) => ({
	gatewayId: 'gateway',
	sources: { serial: [{ path, requireToken: true }] },
});

function siteOf(parts: SiteParts): Site {
	const { http, tokens } = parts;
	const ask: Site['ask'] = async (bearer, method, path, body) => {
		const response = await fetch(http + path, {
			method,
			redirect: 'manual',
			headers: { authorization: `Bearer ${bearer}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
		return { status: response.status, text: await response.text() };
	};
	return {
		programs: new Map(),
		keysOf: undefined,
		...parts,
		token: (memberships, id = 'somebody') => tokens.signAccount({ id, name: 'Somebody', memberships }),
		ask,
		call: async <T>(bearer: string, method: string, path: string, body?: unknown) => {
			const { status, text } = await ask(bearer, method, path, body);
			if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
			return (text === '' ? undefined : JSON.parse(text)) as T;
		},
	};
}

/** Everything in one process. */
export async function openEmbedded(): Promise<Site> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-tenancy-'));
	const folder = join(dataDir, 'serial');
	await mkdir(folder);
	const line = await createNullModem({ dir: folder });
	const config = join(dataDir, 'gateway.yaml');
	await writeFile(config, JSON.stringify(gatewayWith(line.b)));
	const product = await startNode('standalone.ts', {
		env: {
			PORT: '0',
			MQTT_PORT: '0',
			DATA_DIR: dataDir,
			DEMO: '0',
			RATE_LIMIT: '0',
			LOG_LEVEL: 'silent',
			REDIS_URL: undefined,
			MONGO_URL: undefined,
			GATEWAY_CONFIG: config,
		},
		ready: /^ready (http:\S+) (mqtt:\S+)$/m,
		timeoutMs: 90_000,
	});
	return siteOf({
		http: product.ready[1]!,
		mqtt: product.ready[2]!,
		serial: line.a,
		tokens: new Tokens((await readFile(join(dataDir, 'jwt-secret'), 'utf8')).trim()),
		stop: async () => {
			await product.stop();
			await line.close();
			await rm(dataDir, { recursive: true, force: true });
		},
	});
}

/** Every service on its own, with Redis and MongoDB, behind Caddy. */
export async function openDistributed(): Promise<Site> {
	const topology = await startTopology({
		replicas: { notification: 1, socket: 1 },
		env: { RATE_LIMIT: '0' },
		gateway: ({ sensors }) => gatewayWith(sensors),
	});
	trust(topology.caFile);
	const redis = new Redis(topology.redis.url);
	return siteOf({
		http: topology.http,
		mqtt: topology.mqtt,
		serial: topology.serial.sensors,
		tokens: topology.tokens,
		programs: new Map(topology.programs.map((program) => [program.name, program])),
		keysOf: (table) => redis.hkeys(table),
		stop: async () => {
			redis.disconnect();
			await topology.stop();
		},
	});
}

export const COMPOSITIONS = [
	['embedded', openEmbedded],
	['distributed', openDistributed],
] as const;
