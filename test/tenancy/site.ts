/** Both compositions, without the demo, as the tests of tenancy need them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { startNode } from '@crowdvision/testing/processes';
import { trust } from '@crowdvision/testing/trust';
import { startTopology } from '../support/topology.ts';

export interface Reply {
	status: number;
	text: string;
}

/** A running composition, seen through its front door, by holders of any token. */
export interface Site {
	readonly http: string;
	readonly mqtt: string;
	readonly tokens: Tokens;
	/** A token of an account with these memberships. */
	token(memberships: Membership[], accountId?: string): Promise<string>;
	ask(token: string, method: string, path: string, body?: unknown): Promise<Reply>;
	/** As `ask`, with the parsed body. @throws Error for a status of 400 or above */
	call<T>(token: string, method: string, path: string, body?: unknown): Promise<T>;
	stop(): Promise<void>;
}

function siteOf(parts: { http: string; mqtt: string; tokens: Tokens; stop(): Promise<void> }): Site {
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
async function openEmbedded(): Promise<Site> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-tenancy-'));
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
			GATEWAY_CONFIG: undefined,
		},
		ready: /^ready (http:\S+) (mqtt:\S+)$/m,
		timeoutMs: 30_000,
	});
	return siteOf({
		http: product.ready[1]!,
		mqtt: product.ready[2]!,
		tokens: new Tokens((await readFile(join(dataDir, 'jwt-secret'), 'utf8')).trim()),
		stop: async () => {
			await product.stop();
			await rm(dataDir, { recursive: true, force: true });
		},
	});
}

/** Every service on its own, with Redis and MongoDB, behind Caddy. */
async function openDistributed(): Promise<Site> {
	const topology = await startTopology({ replicas: { notification: 1, socket: 1 }, env: { RATE_LIMIT: '0' } });
	trust(topology.caFile);
	return siteOf({
		http: topology.http,
		mqtt: topology.mqtt,
		tokens: topology.tokens,
		stop: () => topology.stop(),
	});
}

export const COMPOSITIONS = [
	['embedded', openEmbedded],
	['distributed', openDistributed],
] as const;
