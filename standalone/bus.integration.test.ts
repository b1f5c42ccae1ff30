import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger, Lifecycle } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBus } from './bus.ts';

const CURSORS = ['relay', 'bridge:cloud', 'group:twin'];

/** The cursors that are left of CURSORS once the bus is open. */
async function cursorsWith(redisUrl: string | undefined): Promise<string[]> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-bus-'));
	const logger = createLogger('test', 'silent');
	const lifecycle = new Lifecycle(logger);
	onTestFinished(async () => {
		await lifecycle.stop();
		await rm(dataDir, { recursive: true, force: true });
	});
	const worker = startCommitWorker();
	lifecycle.onStop('commit thread', () => worker.close());
	const opened = await Log.open({ dir: join(dataDir, 'log'), worker, maxBytes: 1024 * 1024 });
	const log = lifecycle.own('log', opened, (stopped) => stopped.close());
	for (const name of CURSORS) await log.cursor(name).flush();
	await openBus({ log, config: { redisUrl, gatewayId: 'test', dataDir }, worker, lifecycle, logger });
	return [...log.cursors().keys()].sort();
}

describe('the bus of the standalone process', () => {
	it('removes the cursor of the relay when there is no Redis, and keeps those of bridges and services', async () => {
		expect(await cursorsWith(undefined)).toEqual(['bridge:cloud', 'group:twin']);
	});

	it("removes the services' cursors when they read from Redis, and keeps those of bridges and the relay", async () => {
		expect(await cursorsWith(`redis://127.0.0.1:${await freePort()}`)).toEqual(['bridge:cloud', 'relay']);
	});
});
