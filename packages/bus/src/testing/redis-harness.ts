import { startNode } from '@crowdvision/testing/processes';
import { startRedis } from '@crowdvision/testing/redis-server';
import { Redis } from 'ioredis';
import { RedisBus, type RedisBusOptions } from '../redis/redis-bus.ts';
import type { BusHarness } from './harness.ts';
import { heldBy } from './held-by.ts';

export interface RedisHarness extends BusHarness {
	open(options?: Partial<RedisBusOptions>): Promise<RedisBus>;
	/** A plain client, to inspect the data without the bus. */
	readonly client: Redis;
	readonly server: Awaited<ReturnType<typeof startRedis>>;
}

/** A real redis-server that writes every command to disk, and buses on it. */
export async function redisHarness(): Promise<RedisHarness> {
	const server = await startRedis({ appendonly: 'always' });
	const client = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
	client.on('error', () => undefined);
	const buses: RedisBus[] = [];
	return {
		client,
		server,
		reconnects: true,
		open: async (options = {}) => {
			const bus = new RedisBus({ url: server.url, ...options });
			buses.push(bus);
			return bus;
		},
		restart: () => server.restart(),
		killHolding: (stream, group, member) =>
			heldBy(
				startNode('packages/bus/src/testing/hold-entries.ts', {
					args: ['redis', server.url, stream, group, member],
					ready: /holding (.*)\n/,
				}),
			),
		refuseWrites: async () => {
			await client.config('SET', 'maxmemory', '1');
		},
		acceptWrites: async () => {
			await client.config('SET', 'maxmemory', '0');
		},
		dropOldest: async (stream) => {
			await client.xtrim(stream, 'MAXLEN', 5);
		},
		stop: async () => {
			await Promise.all(buses.map((bus) => bus.close()));
			client.disconnect();
			await server.stop();
		},
	};
}
