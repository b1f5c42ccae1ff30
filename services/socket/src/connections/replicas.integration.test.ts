import { randomUUID } from 'node:crypto';
import { RedisBus } from '@crowdvision/bus';
import { type Alert, CHANNELS, type Reading, STREAMS, TABLES } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectDashboard, type Dashboard } from '../testing/dashboard.ts';
import { building, MEMBER } from '../testing/museum.ts';
import { type SocketProcess, startSocketProcess } from '../testing/socket-process.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(SECRET);

describe('two replicas on one Redis', () => {
	let redis: RedisServer;
	let bus: RedisBus;
	let replicas: SocketProcess[];

	beforeEach(async () => {
		redis = await startRedis();
		onTestFinished(() => redis.stop());
		bus = new RedisBus({ url: redis.url });
		onTestFinished(() => bus.close());
		await bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(building('museum-1', 'museum')));
		await bus.retain(
			TABLES.sensors,
			'door-1',
			JSON.stringify({ sensorId: 'door-1', buildingId: 'museum-1', roomId: 'hall' }),
		);
		const start = async () => {
			const replica = await startSocketProcess({ redisUrl: redis.url, secret: SECRET });
			onTestFinished(() => replica.close());
			return replica;
		};
		replicas = await Promise.all([start(), start()]);
	});

	async function open(replica: number, id: string = randomUUID()): Promise<Dashboard> {
		const token = await tokens.signAccount({ id, name: 'Ada', memberships: [MEMBER] });
		const dashboard = await connectDashboard(replicas[replica]!.url, token);
		onTestFinished(() => dashboard.close());
		return dashboard;
	}
	const send = (...readings: Reading[]) =>
		bus.append(
			STREAMS.telemetry,
			readings.map((reading) => JSON.stringify(reading)),
		);
	const reading = (value: number) => readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'co2', value });

	it('send each reading, alert and device event to every dashboard exactly once', async () => {
		const dashboards = [await open(0), await open(1), await open(0), await open(1)];
		for (const dashboard of dashboards) expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		const alert = (message: string): Alert => ({
			id: randomUUID(),
			domainNames: ['museum'],
			buildingId: 'museum-1',
			kind: 'occupancy',
			severity: 'critical',
			state: 'open',
			observedAt: Date.now(),
			message,
		});
		const alerts = [alert('first'), alert('last')];
		const device = { sensorId: 'door-1', state: 'online', at: Date.now(), gatewayId: 'pi' };
		await send(reading(1), reading(2));
		await bus.announce(CHANNELS.notifications, JSON.stringify(alerts[0]));
		await bus.announce(CHANNELS.devices, JSON.stringify(device));
		await send(reading(3));
		const all = (done: (dashboard: Dashboard) => boolean) => waitFor('everybody', () => dashboards.every(done));
		await all(({ readings, devices }) => readings.length >= 3 && devices.length > 0);
		await bus.announce(CHANNELS.notifications, JSON.stringify(alerts[1]));
		await all((dashboard) => dashboard.alerts.length >= 2);
		for (const dashboard of dashboards) {
			expect(dashboard.values()).toEqual([1, 2, 3]);
			expect(dashboard.alerts).toEqual(alerts);
			expect(dashboard.devices).toEqual([device]);
		}
	});

	it('let a dashboard resume with its cursor at the other replica after one is killed', async () => {
		const [here, there] = [await open(0), await open(1)];
		for (const dashboard of [here, there]) await dashboard.subscribe('museum-1');
		await send(reading(1), reading(2));
		await waitFor('both', () => [here, there].every(({ readings }) => readings.length === 2));
		await replicas[0]!.kill();
		await send(reading(3));
		const again = await open(1);
		await again.subscribe('museum-1', here.readings.at(-1)!.cursor);
		await send(reading(4));
		await waitFor('the rest', () => again.readings.length >= 2);
		expect([...here.values(), ...again.values()]).toEqual([1, 2, 3, 4]);
	});

	it('count the dashboards of an account together, and each alone while Redis is away', async () => {
		// Enough that the other replica is asked, and fewer than the limit at each.
		const fill = (replica: number, count: number) =>
			Promise.all(Array.from({ length: count }, () => open(replica, 'ada')));
		await fill(0, 100);
		await fill(1, 100);
		for (const replica of [0, 1])
			await expect(open(replica, 'ada')).rejects.toMatchObject({ error: { code: 'rate_limited' } });
		await open(0, 'eve');
		expect(await replicas[0]!.metric('socket_dashboards')).toBe(101);
		await redis.kill();
		await waitFor('Redis to be missed', async () => (await fetch(`${replicas[0]!.url}/readyz`)).status === 503);
		await open(0, 'ada');
		await redis.restart();
		await waitFor('Redis to be back', async () => (await fetch(`${replicas[0]!.url}/readyz`)).ok);
		await waitFor('both to count again', () =>
			open(1, 'ada').then(
				(dashboard) => void dashboard.close(),
				({ error }) => error.code === 'rate_limited',
			),
		);
	});
});
