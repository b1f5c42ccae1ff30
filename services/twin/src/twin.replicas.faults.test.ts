import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBus } from '@crowdvision/bus';
import { type BuildingState, type HistoryPoint, STREAMS } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { type Mongod, startMongod, whyNoMongod } from '@crowdvision/testing/mongod';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HALL, MUSEUM } from './testing/museum.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';
const READINGS = 600;
const PATIENCE_MS = 60_000;
const LEADS = /this replica is the leader now/;

let dataDir: string;
let redis: RedisServer;
let mongod: Mongod;
let bus: RedisBus;
let replicas: Running[];
let token: string;

const startReplica = () =>
	startNode('services/twin/src/main.ts', {
		env: {
			DATA_DIR: dataDir,
			JWT_SECRET: SECRET,
			PORT: '0',
			LOG_LEVEL: 'info',
			REDIS_URL: redis.url,
			MONGO_URL: `${mongod.url}/twin`,
		},
		ready: /ready \w+ (http:\S+)\n/,
	});
async function ask<T>(replica: Running, path: string, body?: unknown): Promise<T> {
	const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
	const response = await fetch(`${replica.ready[1]}${path}`, {
		headers,
		...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
	});
	expect(response.ok, `${path}: ${response.status}`).toBe(true);
	return (await response.json()) as T;
}

const noMongod = whyNoMongod();
describe.skipIf(noMongod)(`several twins on one MongoDB${noMongod ? `: ${noMongod}` : ''}`, () => {
	beforeEach(async () => {
		dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-twins-'));
		[redis, mongod] = await Promise.all([startRedis(), startMongod()]);
		bus = new RedisBus({ url: redis.url });
		token = await new Tokens(SECRET).signAccount({
			id: 'ada',
			name: 'Ada',
			memberships: [{ domainName: 'museum', role: 'business_admin' }],
		});
		replicas = [];
	}, 120_000);
	afterEach(async () => {
		await Promise.all(replicas.map((replica) => replica.stop()));
		await bus.close();
		await redis.stop();
		await mongod.stop();
		await rm(dataDir, { recursive: true, force: true });
	});

	it('answer the same and store every reading once, although the leader is killed -9', {
		timeout: 240_000,
	}, async () => {
		replicas = await Promise.all([startReplica(), startReplica()]);
		const leader = await waitFor(
			'a leader',
			() => replicas.find((replica) => LEADS.test(replica.stderr())),
			PATIENCE_MS,
		);
		const standby = replicas.find((replica) => replica !== leader)!;
		await ask(standby, '/buildings', MUSEUM);
		expect(await ask(leader, '/buildings')).toMatchObject({ buildings: [{ id: 'museum-1' }] });

		const begin = Date.now() - READINGS * 1000;
		let end = '';
		for (let n = 0; n < READINGS; n += 20) {
			const readings = Array.from({ length: 20 }, (_, i) =>
				readingOf({ ...HALL, metric: 'co2', value: 400 + n + i, observedAt: begin + (n + i) * 1000 }),
			);
			end = (
				await bus.append(
					STREAMS.telemetry,
					readings.map((reading) => JSON.stringify(reading)),
				)
			).at(-1)!;
			if (n === 300) await leader.kill('SIGKILL');
		}
		const state = await waitFor(
			'everything to be stored',
			async () => {
				const now = await ask<BuildingState>(standby, '/buildings/museum-1/state');
				return now.cursor === end ? now : undefined;
			},
			PATIENCE_MS,
		);
		expect(standby.stderr()).toMatch(LEADS);
		expect(state.rooms.hall!.values.co2).toMatchObject({
			value: 400 + READINGS - 1,
			observedAt: begin + (READINGS - 1) * 1000,
		});
		const query = `room=hall&metric=co2&agg=count&bucket=1h&from=${begin}&to=${begin + READINGS * 1000}`;
		const { points } = await ask<{ points: HistoryPoint[] }>(standby, `/buildings/museum-1/history?${query}`);
		expect(points.reduce((total, { value }) => total + value!, 0)).toBe(READINGS);
	});
});
