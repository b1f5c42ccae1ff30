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
const LEADS = /this replica is the leader now/;

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
const send = async (...values: number[]) => {
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
		readings.map((reading) => JSON.stringify(reading)),
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
/** The states announced of each alert, each once, in the order of the announcements. */
const histories = () =>
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
	await Promise.all(replicas.map((replica) => replica.stop()));
	await bus.close();
	await redis.stop();
	await mongod?.stop();
	mongod = undefined;
	await rm(dataDir, { recursive: true, force: true });
});

describe('P10 two replicas', () => {
	it.skipIf(whyNoMongod())(
		'open and resolve once per breach through 1,000 oscillations, although the leader is killed -9',
		async () => {
			mongod = await startMongod();
			replicas = await Promise.all([startReplica(), startReplica()]);
			const leader = await waitFor('a leader', () => replicas.find((replica) => LEADS.test(replica.stderr())));
			const [standby] = replicas.filter((replica) => replica !== leader) as [Running];
			expect(LEADS.test(standby.stderr())).toBe(false);

			const whole = (breaches: number) => Array.from({ length: breaches }, () => 'open resolved');
			for (let breach = 0; breach < BREACHES; breach++) {
				const killing = breach === BREACHES / 2;
				if (killing) {
					// A suspended leader that waits for readings is delivered a breach and its end, and is killed with them.
					await waitFor('every alert so far to be announced', () => histories().join() === whole(breach).join());
					leader.signal('SIGSTOP');
				}
				const swings = Array.from({ length: SWINGS }, () => [101 + (breach % 3), 96 + (breach % 4)]).flat();
				await send(...swings, 95);
				if (killing) await leader.kill();
			}
			await standby.waitFor(LEADS);
			await waitFor('everything to be announced', () => histories().join() === whole(BREACHES).join());
			expect((await alertsAt(standby)).alerts.map(({ state }) => state)).toEqual(
				Array.from({ length: BREACHES }, () => 'resolved'),
			);

			replicas = [standby, await startReplica()];
			const back = replicas[1]!;
			await send(130);
			const open = await waitFor('another alert', () => announced.find(({ value }) => value === 130));
			await alertsAt(back, `/alerts/${open.id}/ack`, 'POST');
			await waitFor('the acknowledgement by the other replica', () =>
				announced.find(({ state }) => state === 'acknowledged'),
			);
			await send(10);
			await waitFor('its end', () => announced.find(({ id, state }) => id === open.id && state === 'resolved'));
			expect(histories()).toEqual([...whole(BREACHES), 'open acknowledged resolved']);
			expect(await alertsAt(back)).toEqual(await alertsAt(standby));
			expect(LEADS.test(back.stderr())).toBe(false);
		},
	);
});
