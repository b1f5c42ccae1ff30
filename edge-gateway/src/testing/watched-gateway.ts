import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { onTestFinished } from 'vitest';
import { why } from '../control/why-command.ts';
import type { Explanation } from '../why/explanation.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';

/** A gateway in a process of its own, and both ways to ask what became of a message. */
export interface WatchedGateway {
	readonly tokens: Tokens;
	readonly dataDir: string;
	readonly url: string;
	readonly mqttUrl: string;
	post(token: string, body: unknown): Promise<Response>;
	/** The output of `npm run gateway -- why … --json`, with more options. */
	why(about: string, ...options: string[]): Promise<Explanation & { running: boolean }>;
	/** The answer to `GET /gateway/trace` for an admin. */
	trace(query: Record<string, string>): Promise<Explanation & { followedUntil?: number }>;
	/** The lines of the metric `gateway_ledger_imbalance` that are not 0. */
	imbalances(): Promise<string[]>;
	stop(): Promise<void>;
}

/** @param config contents of gateway.yaml. The process and its folder are removed after the test. */
export async function watchedGateway(config: object, env: Record<string, string> = {}): Promise<WatchedGateway> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-why-'));
	const dataDir = join(dir, 'data');
	await writeFile(join(dir, 'gateway.yaml'), JSON.stringify(config));
	let running: Running | undefined;
	onTestFinished(async () => {
		await running?.kill();
		await rm(dir, { recursive: true, force: true });
	});
	running = await startNode('edge-gateway/src/main.ts', {
		env: {
			PORT: '0',
			MQTT_PORT: '0',
			DATA_DIR: dataDir,
			GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'warn',
			RATE_LIMIT: '0',
			...env,
		},
		ready: /^ready (http:\S+) (mqtt:\S+)$/m,
		timeoutMs: 40_000,
	});
	const [, url, mqttUrl] = running.ready as [string, string, string];
	const tokens = new Tokens(SECRET);
	const admin = await tokens.signAccount({
		id: 'a1',
		name: 'Ada',
		memberships: [{ domainName: 'acme', role: 'admin' }],
	});
	return {
		tokens,
		dataDir,
		url,
		mqttUrl,
		post: (token, body) =>
			fetch(`${url}/ingest`, {
				method: 'POST',
				headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
				body: typeof body === 'string' ? body : JSON.stringify(body),
			}),
		why: async (about, ...options) =>
			JSON.parse(await why(dataDir, [about, '--json', ...options])) as Explanation & { running: boolean },
		async trace(query) {
			const answer = await fetch(`${url}/trace?${new URLSearchParams(query)}`, {
				headers: { authorization: `Bearer ${admin}` },
			});
			if (!answer.ok) throw new Error(await answer.text());
			return (await answer.json()) as Explanation & { followedUntil?: number };
		},
		async imbalances() {
			const text = await (await fetch(`${url}/metrics`)).text();
			const lines = text.split('\n').filter((line) => line.startsWith('gateway_ledger_imbalance{'));
			if (lines.length === 0) throw new Error('the metrics have no ledger');
			return lines.filter((line) => !line.endsWith(' 0'));
		},
		stop: async () => void (await running?.stop()),
	};
}
