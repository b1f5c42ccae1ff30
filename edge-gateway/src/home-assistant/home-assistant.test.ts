import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointFile, type Log } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { expect, it, onTestFinished } from 'vitest';
import type { Registry } from '../registry.ts';
import { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import type { Entity } from './discovery.ts';
import { HomeAssistant } from './home-assistant.ts';

it('a broker that takes nothing when Home Assistant is to be told of the end does not end the gateway, and it is told at the next start', async () => {
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
	const unheard: unknown[] = [];
	const hear = (reason: unknown) => void unheard.push(reason);
	process.on('unhandledRejection', hear);
	onTestFinished(() => void process.off('unhandledRejection', hear));
	const told: string[] = [];
	const logger = createLogger('test', 'silent');
	const start = async (toClients: (message: { topic: string }) => Promise<void>) => {
		const local = new LocalBroker();
		local.connect(toClients);
		const one = HomeAssistant.open(
			{ enabled: false },
			{ log: {} as Log, registry: {} as Registry, local, gatewayId: 'g', logger, path },
		);
		one.start();
		await new Promise((resolve) => setImmediate(resolve));
		await one.stop();
	};
	await start(() => Promise.reject(new Error('the disk is full')));
	expect(unheard).toEqual([]);
	await start(async ({ topic }) => void told.push(topic));
	expect(told).toEqual(['homeassistant/sensor/crowdvision_g_s_co2/config']);
});
