import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { trust } from '@crowdvision/testing/trust';
import { waitFor } from '@crowdvision/testing/wait';
import { compose, docker } from './docker.ts';

/** One container of the composition, through all its lives. */
export interface Container {
	/** As `socket-2`, `twin-db`. */
	readonly name: string;
	readonly id: string;
	/** Runs a command in it; resolves with its output, rejects with everything it printed. */
	run(...command: string[]): Promise<string>;
	/** One value of `docker inspect`, by a Go template. */
	inspect(template: string): Promise<string>;
	/** `docker kill -s KILL`: it stays away. */
	kill(): Promise<void>;
	start(): Promise<void>;
	/** Resolves when its own health check passes. */
	healthy(timeoutMs?: number): Promise<void>;
}

/** docker-compose.yml, running. */
export interface Composed {
	/** Through Caddy. */
	readonly http: string;
	readonly mqtt: string;
	/** PEM of Caddy's authority. */
	readonly caFile: string;
	/** A folder for what a test writes. */
	readonly dir: string;
	/** All that run on; not the one that makes the secrets and ends. */
	readonly containers: readonly Container[];
	container(name: string): Container;
	/** With the secret that was made in there. */
	readonly tokens: Tokens;
	/** What all of them have logged. */
	said(): Promise<string>;
	stop(): Promise<void>;
}

const ROOT_CERTIFICATE = '/var/lib/caddy/pki/authorities/local/root.crt';
/** Building from nothing, on a slow line. */
const LONG_MS = 20 * 60_000;

/** Builds it and brings it up; resolves when everything is healthy. What it starts is removed by scripts/compose.ts. */
export async function startComposed(): Promise<Composed> {
	await compose(['build'], LONG_MS);
	await compose(['up', '-d'], 5 * 60_000);
	const names = (await compose(['config', '--services'])).trim().split('\n');
	const containers = await Promise.all(names.filter((name) => name !== 'secrets').map(containerOf));
	const container = (name: string) => {
		const found = containers.find((one) => one.name === name);
		if (!found) throw new Error(`there is no ${name} in docker-compose.yml`);
		return found;
	};
	await Promise.all(containers.map((one) => one.healthy(120_000)));
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-compose-'));
	const caFile = join(dir, 'root.crt');
	await writeFile(caFile, await container('caddy').run('cat', ROOT_CERTIFICATE));
	trust(caFile);
	return {
		http: `https://localhost:${process.env.HTTPS_PORT}`,
		mqtt: `mqtt://127.0.0.1:${process.env.MQTT_PORT}`,
		caFile,
		dir,
		containers,
		container,
		tokens: new Tokens((await container('auth').run('cat', '/secrets/jwt-secret')).trim()),
		said: () => compose(['logs', '--no-color', '--tail', '40']),
		stop: () => rm(dir, { recursive: true, force: true }),
	};
}

async function containerOf(name: string): Promise<Container> {
	const id = (await compose(['ps', '-q', name])).trim();
	const inspect = async (template: string) => (await docker('inspect', '--format', template, id)).trim();
	const run = (...command: string[]) => docker('exec', id, ...command);
	return {
		name,
		id,
		run,
		inspect,
		kill: async () => void (await docker('kill', '-s', 'KILL', id)),
		start: async () => void (await docker('start', id)),
		healthy: async (timeoutMs = 60_000) => {
			// Asked here: Docker itself asks only every ten seconds.
			const [kind, ...test] = JSON.parse(await inspect('{{json .Config.Healthcheck.Test}}')) as string[];
			const command = kind === 'CMD-SHELL' ? ['sh', '-c', ...test] : test;
			await waitFor(`${name} to be healthy`, () => run(...command).then(() => true), timeoutMs);
		},
	};
}
