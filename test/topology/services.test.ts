import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBus } from '@crowdvision/bus';
import type { Alert, BuildingState, ReadingWithCursor } from '@crowdvision/contracts';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Every service by its own entry point, with nothing but Redis and the shared secret between them. */

const SERVICES = ['auth', 'twin', 'notification', 'socket', 'llm'] as const;
type Name = (typeof SERVICES)[number];

let dataDir: string;
let redis: RedisServer;
let bus: RedisBus;
const running = new Map<Name, { process: Running; url: string }>();
const sockets: Socket[] = [];

const environment = (name: string, redisUrl: string | undefined) => ({
	DATA_DIR: join(dataDir, name),
	JWT_SECRET: 'a secret for tests only, of more than 32 characters',
	PORT: '0',
	LOG_LEVEL: 'warn',
	REDIS_URL: redisUrl,
});

async function start(name: Name): Promise<void> {
	const process = await startNode(`services/${name}/src/main.ts`, {
		env: environment(name, redis.url),
		ready: /ready \w+ (http:\S+)\n/,
	});
	running.set(name, { process, url: process.ready[1]! });
}

async function call<T>(
	name: Name,
	method: string,
	path: string,
	token?: string,
	body?: unknown,
): Promise<{ status: number; body: T }> {
	const response = await fetch(`${running.get(name)!.url}${path}`, {
		method,
		headers: {
			...(token && { authorization: `Bearer ${token}` }),
			...(body !== undefined && { 'content-type': 'application/json' }),
		},
		...(body !== undefined && { body: JSON.stringify(body) }),
	});
	const text = await response.text();
	return {
		status: response.status,
		body: (response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as T,
	};
}

beforeAll(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-services-'));
	redis = await startRedis({ appendonly: 'always' });
	bus = new RedisBus({ url: redis.url });
	await Promise.all(SERVICES.map(start));
});

afterAll(async () => {
	for (const socket of sockets) socket.close();
	await Promise.all([...running.values()].map(({ process }) => process.stop()));
	await bus?.close();
	await redis?.stop();
	await rm(dataDir, { recursive: true, force: true });
});

describe('each service in its own process', () => {
	const hall = {
		id: 'hall',
		name: 'Hall',
		capacity: 10,
		position: { x: 0, y: 0, z: 0 },
		dimensions: { width: 5, height: 3, depth: 5 },
	};
	const count = (value: number) =>
		JSON.stringify(readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'peopleCount', value }));
	let token: string;
	const alerts: Alert[] = [];
	const readings: ReadingWithCursor[] = [];

	it('answers /healthz, /readyz and /metrics', async () => {
		for (const name of SERVICES) {
			expect((await call(name, 'GET', '/healthz')).body, name).toEqual({ status: 'ok' });
			await waitFor(`${name} to be ready`, async () => (await call(name, 'GET', '/readyz')).status === 200);
			expect((await call(name, 'GET', '/metrics')).status, name).toBe(200);
		}
		expect((await call<string>('twin', 'GET', '/metrics')).body).toContain('twin_readings_taken_total');
	});

	it('knows an account, its building and its readings from the token and the bus alone', async () => {
		const ada = { email: 'ada@example.org', password: 'correct horse', name: 'Ada' };
		({ token } = (await call<{ token: string }>('auth', 'POST', '/register', undefined, ada)).body);
		expect((await call('auth', 'POST', '/domains', token, { name: 'museum' })).status).toBe(201);
		({ token } = (await call<{ token: string }>('auth', 'POST', '/refresh', token)).body);
		expect((await call('twin', 'POST', '/buildings', token, { id: 'museum-1', rooms: [hall] })).status).toBe(201);

		const dashboard = io(running.get('socket')!.url, {
			auth: { token },
			transports: ['websocket'],
			reconnectionDelay: 50,
			reconnectionDelayMax: 100,
		});
		sockets.push(dashboard);
		dashboard.on('telemetry', (batch: ReadingWithCursor[]) => readings.push(...batch));
		dashboard.on('notification', (alert: Alert) => alerts.push(alert));
		dashboard.on('connect', () =>
			dashboard.emit('subscribe', { buildingId: 'museum-1', cursor: readings.at(-1)?.cursor }, () => {}),
		);
		await waitFor('the dashboard', () => dashboard.connected);

		await bus.append('telemetry', [count(4), count(11)]);
		await waitFor('the alert', () => alerts.length > 0);
		await waitFor('the readings', () => readings.length === 2);
		expect(alerts[0]).toMatchObject({
			kind: 'occupancy',
			state: 'open',
			value: 11,
			limit: 10,
			domainNames: ['museum'],
		});
		const state = await waitFor('the state', async () => {
			const { body } = await call<BuildingState>('twin', 'GET', '/buildings/museum-1/state', token);
			return body.cursor === readings[1]!.cursor ? body : undefined;
		});
		expect(state.rooms.hall).toMatchObject({
			occupancy: 'overcrowded',
			values: { peopleCount: { value: 11, stale: false } },
		});
		const listed = await call<{ alerts: Alert[] }>('notification', 'GET', '/alerts', token);
		expect(listed.body.alerts).toEqual(alerts);
		const told = await call<{ answer: string; grounded: boolean }>('llm', 'POST', '/ask', token, {
			question: 'How many people are in the hall?',
		});
		expect(told.body).toMatchObject({ grounded: true, answer: expect.stringContaining('11') });
	});

	it('loses and doubles nothing when it is killed -9 while readings come in', async () => {
		for (const name of ['twin', 'notification', 'socket'] as const) {
			const before = readings.length;
			const { process } = running.get(name)!;
			await process.kill('SIGKILL');
			await bus.append('telemetry', [count(12), count(13)]);
			await start(name);
			if (name === 'socket') {
				const cursor = readings.at(-1)!.cursor;
				const again = io(running.get('socket')!.url, {
					auth: { token },
					transports: ['websocket'],
					reconnection: false,
				});
				sockets.push(again);
				again.on('telemetry', (batch: ReadingWithCursor[]) => readings.push(...batch));
				again.on('connect', () => again.emit('subscribe', { buildingId: 'museum-1', cursor }, () => {}));
			}
			await waitFor(`what came while ${name} was away`, () => readings.length >= before + 2);
		}
		const end = await bus.position('telemetry');
		await waitFor(
			'twin to have all of it',
			async () => (await call<BuildingState>('twin', 'GET', '/buildings/museum-1/state', token)).body.cursor === end,
		);
		const { body } = await call<{ points: { value: number }[] }>(
			'twin',
			'GET',
			'/buildings/museum-1/history?room=hall&metric=peopleCount&agg=count&bucket=1d' +
				`&from=${Date.now() - 86_400_000}&to=${Date.now() + 86_400_000}`,
			token,
		);
		expect(body.points.reduce((sum, { value }) => sum + value, 0)).toBe(8);
		expect(readings.map(({ value }) => value)).toEqual([4, 11, 12, 13, 12, 13, 12, 13]);
		expect(new Set(readings.map(({ id }) => id)).size).toBe(8);
		await bus.append('telemetry', [count(1)]);
		const alertsOf = async () => (await call<{ alerts: Alert[] }>('notification', 'GET', '/alerts', token)).body.alerts;
		await waitFor('the end of the alert', async () => (await alertsOf()).some(({ state }) => state === 'resolved'));
		expect(await alertsOf()).toHaveLength(1);
	});

	it('reports what is wrong while Redis is away, and recovers by itself with its registry refilled', async () => {
		await redis.kill();
		for (const name of SERVICES) {
			const { body } = await waitFor(`${name} to say so`, async () => {
				const answer = await call<{ error: { code: string; message: string } }>(name, 'GET', '/readyz');
				return answer.status === 503 ? answer : undefined;
			});
			expect(body.error.code).toBe('unavailable');
		}
		expect((await call('twin', 'GET', '/buildings', token)).status).toBe(200);
		const twin = running.get('twin')!.process;
		await twin.kill('SIGKILL');
		await start('twin');
		await redis.restart();
		for (const name of SERVICES)
			await waitFor(`${name} to be ready`, async () => (await call(name, 'GET', '/readyz')).status === 200, 30_000);
		const before = (await call<BuildingState>('twin', 'GET', '/buildings/museum-1/state', token)).body.cursor;
		await bus.append('telemetry', [count(2)]);
		await waitFor(
			'the next reading',
			async () => (await call<BuildingState>('twin', 'GET', '/buildings/museum-1/state', token)).body.cursor !== before,
			30_000,
		);
	});

	it('stops promptly and in order on SIGTERM, with a dashboard connected', async () => {
		const exits = await Promise.all([...running.values()].map(({ process }) => process.stop()));
		expect(exits).toEqual(SERVICES.map(() => ({ code: 0, signal: null })));
		for (const { process } of running.values()) expect(process.stderr()).not.toContain('stopping took too long');
	});
});

describe('a service alone', () => {
	it.each(SERVICES)('%s exits 1 and says that it needs Redis', async (name) => {
		const process = await startNode(`services/${name}/src/main.ts`, { env: environment(`${name}-alone`, undefined) });
		expect(await process.exited).toEqual({ code: 1, signal: null });
		expect(process.stderr()).toContain('REDIS_URL is not set');
		expect(process.stdout()).toBe('');
	});
});
