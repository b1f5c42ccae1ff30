import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRANSPORTS } from '@crowdvision/contracts';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { openWorld, PASSWORD, type World } from './world.ts';

/** The embedded whole, as `npm start` runs it, on free ports and a folder of its own. */
export interface Standalone extends World {
	readonly process: Running;
}

/** `entry`: a program that runs standalone.ts. */
export async function startStandalone(
	env: Record<string, string | undefined> = {},
	entry = 'standalone.ts',
): Promise<Standalone> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-e2e-'));
	const process = await startNode(entry, {
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
	const stop = async () => {
		await process.stop();
		await rm(dataDir, { recursive: true, force: true });
	};
	return {
		process,
		...openWorld({ http, mqtt, probes: [http], transports: TRANSPORTS, examples: process.stdout().split('\n'), stop }),
	};
}
