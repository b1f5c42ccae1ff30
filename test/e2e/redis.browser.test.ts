import { type Alert, reading } from '@crowdvision/contracts';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { describeEndToEnd } from './scenario.ts';
import { type Standalone, startStandalone } from './standalone.ts';

let redis: RedisServer;
let world: Standalone;
const notifications: Alert[] = [];
let client: Redis;
let listener: Redis;

afterAll(async () => {
	listener?.disconnect();
	client?.disconnect();
	await redis?.stop();
});

describeEndToEnd('with a real Redis between', async () => {
	redis = await startRedis();
	client = new Redis(redis.url);
	listener = new Redis(redis.url);
	listener.on('message', (_channel, message) => notifications.push(JSON.parse(message) as Alert));
	await listener.subscribe('notifications');
	world = await startStandalone({ REDIS_URL: redis.url });
	return world;
});

describe('Redis', () => {
	it('holds one entry per reading in the stream telemetry, each canonical, none twice', async () => {
		const entries = await client.xrange('telemetry', '-', '+');
		const readings = entries.map(([, fields]) => {
			expect(fields[0]).toBe('reading');
			return JSON.parse(fields[1]!) as unknown;
		});
		expect(readings.length).toBeGreaterThan(20);
		for (const value of readings) expect(reading.problem(value)).toBeUndefined();
		expect(new Set(readings.map((value) => (value as { id: string }).id)).size).toBe(readings.length);
	});

	it('gets the alert of the overcrowded room once, and its end once', () => {
		const studio = notifications.filter(({ roomId }) => roomId === 'studio');
		expect(studio.map(({ state }) => state)).toEqual(['open', 'resolved']);
	});
});
