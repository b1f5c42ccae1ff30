import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBus } from '@crowdvision/bus';
import { type Alert, CHANNELS, STREAMS, TABLES } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { type Mongod, startMongod, whyNoMongod } from '@crowdvision/testing/mongod';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HALL } from './testing/hall.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';
const TTL_MS = 1500;
const BREACHES = 10;
const SWINGS = 100;
const ON_DUTY = /this replica is the leader now/;

let dataDir: string;
let redis: RedisServer;
let bus: RedisBus;
let mongod: Mongod | undefined;
let replicas: Running[];
let announced: Alert[];
let clock: number;

const startReplica = async (): Promise<Running> => {
	const env = {
		DATA_DIR: dataDir,
		JWT_SECRET: SECRET,
		PORT: '0',
		LOG_LEVEL: 'info',
		REDIS_URL: redis.url,
		MONGO_URL: mongod && `${mongod.url}/notification`,
	};
	const ready = /ready \w+ (http:\S+)\n/;
	return startNode('services/notification/src/testing/replica.ts', { args: [`${TTL_MS}`], env, ready });
};
const tell = async (...values: number[]) => {
	const readings = values.map((value) =>
		readingOf({
			buildingId: 'museum-1',
			roomId: 'hall',
			metric: 'peopleCount',
			value,
			observedAt: ++clock,
			sensorId: 'door',
		}),
	);
	await bus.append(
		STREAMS.telemetry,
		readings.map((one) => JSON.stringify(one)),
	);
};
const alertsAt = async (replica: Running, path = '/alerts', method = 'GET'): Promise<{ alerts: Alert[] }> => {
	const token = await new Tokens(SECRET).signAccount({
		id: 'ada',
		name: 'Ada',
		memberships: [{ domainName: 'museum', role: 'business_staff' }],
	});
	const response = await fetch(`${replica.ready[1]}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
	expect(response.status).toBe(200);
	return (await response.json()) as { alerts: Alert[] };
};
/** What was announced of each alert, in the order in which that was first said. */
const stories = () =>
	[...Map.groupBy(announced, ({ id }) => id).values()].map((events) =>
		[...new Set(events.map(({ state }) => state))].join(' '),
	);

beforeEach(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-replicas-'));
	redis = await startRedis();
	bus = new RedisBus({ url: redis.url });
	replicas = [];
	announced = [];
	clock = Date.now() - 60_000;
	await bus.retain(TABLES.buildings, HALL.id, JSON.stringify(HALL));
	await bus.listen(CHANNELS.notifications, (message) => announced.push(JSON.parse(message) as Alert));
});
afterEach(async () => {
	await Promise.all(replicas.map((one) => one.stop()));
	await bus.close();
	await redis.stop();
	await mongod?.stop();
	mongod = undefined;
	await rm(dataDir, { recursive: true, force: true });
});

describe('P10 two replicas', () => {
	it.skipIf(whyNoMongod())(
		'give one open and one clear per breach through 1,000 oscillations, though the one on duty is killed -9 among them',
		async () => {
			mongod = await startMongod();
			replicas = await Promise.all([startReplica(), startReplica()]);
			const onDuty = await waitFor('one on duty', () => replicas.find((one) => ON_DUTY.test(one.stderr())));
			const [standby] = replicas.filter((one) => one !== onDuty) as [Running];
			expect(ON_DUTY.test(standby.stderr())).toBe(false);

			const whole = (breaches: number) => Array.from({ length: breaches }, () => 'open resolved');
			for (let breach = 0; breach < BREACHES; breach++) {
				const killing = breach === BREACHES / 2;
				if (killing) {
					// Whoever waits for readings and stands still takes a breach and its end into its hands, and dies with them
					// there.
					await waitFor('what was told to be announced', () => stories().join() === whole(breach).join());
					onDuty.signal('SIGSTOP');
				}
				const swings = Array.from({ length: SWINGS }, () => [101 + (breach % 3), 96 + (breach % 4)]).flat();
				await tell(...swings, 95);
				if (killing) await onDuty.kill();
			}
			await standby.waitFor(ON_DUTY);
			await waitFor('everything to be announced', () => stories().join() === whole(BREACHES).join());
			expect((await alertsAt(standby)).alerts.map(({ state }) => state)).toEqual(
				Array.from({ length: BREACHES }, () => 'resolved'),
			);

			replicas = [standby, await startReplica()];
			const back = replicas[1]!;
			await tell(130);
			const open = await waitFor('another alert', () => announced.find(({ value }) => value === 130));
			await alertsAt(back, `/alerts/${open.id}/ack`, 'POST');
			await waitFor('who is not on duty to be heard', () => announced.find(({ state }) => state === 'acknowledged'));
			await tell(10);
			await waitFor('its end', () => announced.find(({ id, state }) => id === open.id && state === 'resolved'));
			expect(stories()).toEqual([...whole(BREACHES), 'open acknowledged resolved']);
			expect(await alertsAt(back)).toEqual(await alertsAt(standby));
			expect(ON_DUTY.test(back.stderr())).toBe(false);
		},
	);
});
