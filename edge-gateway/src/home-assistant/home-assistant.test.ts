import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { CheckpointFile, type Log } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { expect, it, onTestFinished } from 'vitest';
import type { Registry } from '../registry.ts';
import { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import type { Entity } from './discovery.ts';
import { HomeAssistant } from './home-assistant.ts';

it('HomeAssistant survives a broker that fails to remove sensors, and removes them at the next start', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-home-assistant-'));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'home-assistant');
	const entity: Entity = {
		sensorId: 's',
		metric: 'co2',
		buildingId: 'b',
		roomId: 'r',
		registered: false,
		hasStatus: false,
		heardAt: 0,
	};
	new CheckpointFile<Entity[]>(path).writeSync([entity]);
	const unhandled: unknown[] = [];
	const record = (reason: unknown) => void unhandled.push(reason);
	process.on('unhandledRejection', record);
	onTestFinished(() => void process.off('unhandledRejection', record));
	const removed: string[] = [];
	const logger = createLogger('test', 'silent');
	const start = async (toClients: (message: { topic: string }) => Promise<void>) => {
		const local = new LocalBroker();
		local.connect(toClients);
		const one = HomeAssistant.open(
			{ enabled: false },
			{
				log: {} as Log,
				registry: {} as Registry,
				local,
				catalog: BUILT_IN_METRICS,
				gatewayId: 'g',
				logger,
				now: Date.now,
				path,
			},
		);
		one.start();
		await new Promise((resolve) => setImmediate(resolve));
		await one.stop();
	};
	await start(() => Promise.reject(new Error('the disk is full')));
	expect(unhandled).toEqual([]);
	await start(async ({ topic }) => void removed.push(topic));
	expect(removed).toEqual(['homeassistant/sensor/crowdvision_g_s_co2/config']);
});
