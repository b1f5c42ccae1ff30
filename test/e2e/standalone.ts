import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Alert, BuildingState } from '@crowdvision/contracts';
import { ROOT, type Running, startNode } from '../support/processes.ts';

const run = promisify(execFile);

export const PASSWORD = 'a password for tests';
export const EMAIL = 'demo@crowdvision.local';

/** The embedded whole, as `npm start` runs it, on free ports and a folder of its own. */
export interface Standalone {
	readonly process: Running;
	readonly http: string;
	readonly mqtt: string;
	/** The ready-to-paste lines it printed, in order: HTTP, MQTT, Socket.IO, serial. */
	readonly examples: string[];
	/** Runs a line in a shell in the project's folder, as a person would paste it. */
	paste(line: string): Promise<string>;
	/** Requests a path of the API as the demo's account. */
	call<T>(method: string, path: string, body?: unknown): Promise<T>;
	state(): Promise<BuildingState>;
	alerts(): Promise<Alert[]>;
	/** Sends a people count for the studio through the printed HTTP line. */
	studioCount(count: number): Promise<void>;
	stop(): Promise<void>;
}

export async function startStandalone(env: Record<string, string | undefined> = {}): Promise<Standalone> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-e2e-'));
	const process = await startNode('standalone.ts', {
		env: {
			PORT: '0',
			MQTT_PORT: '0',
			DATA_DIR: dataDir,
			DEMO_PASSWORD: PASSWORD,
			DEMO: '1',
			LOG_LEVEL: 'warn',
			REDIS_URL: undefined,
			GATEWAY_CONFIG: undefined,
			...env,
		},
		ready: /^ready (http:\S+) (mqtt:\S+)$/m,
		timeoutMs: 30_000,
	});
	const [, http, mqtt] = process.ready as [string, string, string];
	if (env.DEMO !== '0') await process.waitFor(/over a serial line:\n.+\n/);
	const examples = process
		.stdout()
		.split('\n')
		.filter((line) => line.startsWith('  '))
		.map((line) => line.trim());
	const paste = async (line: string) => {
		const { stdout, stderr } = await run('/bin/sh', ['-c', line], { cwd: ROOT, timeout: 20_000 });
		return `${stdout}${stderr}`;
	};
	let token: string | undefined;
	const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
		token ??= await signIn(http);
		const response = await fetch(http + path, {
			method,
			headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
		return (await response.json()) as T;
	};
	return {
		process,
		http,
		mqtt,
		examples,
		paste,
		call,
		state: () => call<BuildingState>('GET', '/twin/buildings/demo/state'),
		alerts: async () => (await call<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts,
		async studioCount(count) {
			const answer = await paste(examples[0]!.replace('"value":4', `"value":${count}`));
			if (answer !== '{"accepted":1}') throw new Error(`POST /ingest: ${answer}`);
		},
		async stop() {
			await process.stop();
			await rm(dataDir, { recursive: true, force: true });
		},
	};
}

async function signIn(http: string): Promise<string> {
	const response = await fetch(`${http}/auth/login`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ email: EMAIL, password: PASSWORD }),
	});
	return ((await response.json()) as { token: string }).token;
}
