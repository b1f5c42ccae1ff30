import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNullModem, type FleetLinks } from '@crowdvision/firmware-sim';
import { Tokens } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';

export const FAULT_SECRET = 'a secret for the fault suite only, of more than 32 characters';

/**
 * The gateway as its own process, on the same ports and folder through all its lives, with a real serial line to it.
 */
export interface GatewayProcess {
	readonly tokens: Tokens;
	readonly links: Required<FleetLinks>;
	readonly dataDir: string;
	/** As `http://127.0.0.1:8080`. */
	readonly url: string;
	/** Starts it; resolves when it is ready. */
	start(): Promise<void>;
	/** Starts it without waiting for anything. */
	launch(): Promise<void>;
	/** kill -9; resolves when it is gone. */
	kill(): Promise<void>;
	/** Asks it to stop; resolves with its exit code. */
	stop(): Promise<number | null>;
	/** Sum over all labels of one of its metrics, of this life; 0 for one without a value. */
	metric(name: string): Promise<number>;
	/** Undefined when it is ready, else the reason it gives. */
	trouble(): Promise<string | undefined>;
	/** What it has printed in this life. */
	said(): string;
	/** Ends it and removes everything. */
	close(): Promise<void>;
}

/**
 * `entry`: what is started, relative to the repository. `env` is added to its environment, `config` to its
 * gateway.yaml.
 */
export async function prepareGateway(
	options: { entry?: string; env?: Record<string, string>; gatewayId?: string; config?: object } = {},
): Promise<GatewayProcess> {
	const { entry = 'edge-gateway/src/main.ts', env = {}, gatewayId = 'faults' } = options;
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-faults-'));
	const modem = await createNullModem({ dir: join(dir, 'line') });
	const [port, mqttPort] = [await freePort(), await freePort()];
	const config = join(dir, 'gateway.yaml');
	const dataDir = join(dir, 'data');
	await writeFile(config, JSON.stringify({ gatewayId, sources: { serial: [{ path: modem.b }] }, ...options.config }));
	const base = `http://127.0.0.1:${port}`;
	let running: Running | undefined;
	const stop = async () => (await running?.stop())?.code ?? null;
	const launch = async (ready?: RegExp) => {
		running = await startNode(entry, {
			env: {
				PORT: String(port),
				MQTT_PORT: String(mqttPort),
				DATA_DIR: dataDir,
				GATEWAY_CONFIG: config,
				JWT_SECRET: FAULT_SECRET,
				LOG_LEVEL: 'warn',
				// Nothing is compiled again at each of many starts.
				NODE_COMPILE_CACHE: join(dir, 'compiled'),
				...env,
			},
			...(ready && { ready }),
			timeoutMs: 40_000,
		});
	};
	// Node keeps what it has compiled when it ends in order, which from here on it will not.
	await launch(/^ready /m);
	await stop();
	return {
		tokens: new Tokens(FAULT_SECRET),
		links: {
			http: { url: base },
			socketio: { url: base },
			mqtt: { url: `mqtt://127.0.0.1:${mqttPort}` },
			serial: { path: modem.a },
		},
		dataDir,
		url: base,
		start: () => launch(/^ready /m),
		launch: () => launch(),
		kill: async () => void (await running?.kill()),
		stop,
		async metric(name) {
			const text = await (await fetch(`${base}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
			const values = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
			return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
		},
		async trouble() {
			const response = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(10_000) });
			if (response.ok) return undefined;
			return ((await response.json()) as { error: { message: string } }).error.message;
		},
		said: () => `${running?.stdout()}${running?.stderr()}`,
		async close() {
			await running?.kill();
			await modem.close();
			await rm(dir, { recursive: true, force: true });
		},
	};
}

/** Resolves when Redis has everything that the gateway has. */
export async function relayed(gateway: GatewayProcess, timeoutMs = 60_000): Promise<void> {
	await waitFor(
		'the relay to have caught up',
		async () => (await gateway.metric('gateway_relay_lag')) === 0,
		timeoutMs,
	);
}
