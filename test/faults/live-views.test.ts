import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RetainedBuilding, STREAMS, TABLES } from '@crowdvision/contracts';
import { faultParameter } from '@crowdvision/testing/fault-parameters';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type SocketProcess, startSocketProcess } from '../../services/socket/src/testing/socket-process.ts';
import { type StallingProxy, startStallingProxy } from '../../services/socket/src/testing/stalling-proxy.ts';
import { openViewer, type Viewer } from '../../services/socket/src/testing/viewer.ts';
import { cutAppendOnlyFile } from './append-only-file.ts';
import { sleep } from './chance.ts';
import { type Feeder, startFeeder } from './feeder.ts';
import { FAULT_SECRET, type GatewayProcess, prepareGateway, relayed } from './gateway-process.ts';

/** How long something is cut. */
const CUT_SECONDS = faultParameter('FAULT_CUT_SECONDS', 4);
/** However short the cut: as many readings as 60 s of 200 a second. */
const DURING = (60 * 200) / CUT_SECONDS;
const BEFORE_AND_AFTER = 200;
const TIMEOUT_MS = 120_000 + CUT_SECONDS * 2000;

const BUILDING: RetainedBuilding = {
	id: 'works',
	name: 'Works',
	domains: ['works'],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
};

describe(`P12 live views catch up: ${CUT_SECONDS} s, ${CUT_SECONDS * DURING} readings`, () => {
	let redis: RedisServer;
	let gateway: GatewayProcess;
	let socket: SocketProcess;
	let proxy: StallingProxy;
	let feeder: Feeder;
	let viewers: Viewer[];

	beforeEach(async () => {
		redis = await startRedis({ appendonly: 'always' });
		onTestFinished(() => redis.stop());
		gateway = await prepareGateway({ env: { REDIS_URL: redis.url } });
		onTestFinished(() => gateway.close());
		await gateway.start();
		await tellBuilding();
		socket = await startReplica();
		proxy = await startStallingProxy(socket.url);
		onTestFinished(() => proxy.close());
		feeder = await startFeeder(gateway, BUILDING.id, BEFORE_AND_AFTER);
		onTestFinished(() => feeder.stop());
		// One whose line is the one that is cut, and one that looks on.
		viewers = [await view(proxy.url), await view(socket.url)];
		await waitFor('live views', () => viewers.every(({ shown }) => shown.length > 100));
	});

	/** As twin does, at its start and where Redis lost it. */
	async function tellBuilding(): Promise<void> {
		const client = new Redis(redis.url);
		const value = JSON.stringify(BUILDING);
		await client
			.multi()
			.hset(TABLES.buildings, BUILDING.id, value)
			.publish(TABLES.buildings, JSON.stringify([BUILDING.id, value]))
			.exec();
		client.disconnect();
	}

	async function startReplica(): Promise<SocketProcess> {
		const replica = await startSocketProcess({ redisUrl: redis.url, secret: FAULT_SECRET });
		onTestFinished(() => replica.close());
		return replica;
	}

	async function view(url: string): Promise<Viewer> {
		const memberships = [{ domainName: 'works', role: 'standard_customer' as const }];
		const token = await gateway.tokens.signAccount({ id: 'ada', name: 'Ada', memberships });
		const viewer = openViewer(url, { token, buildingId: BUILDING.id, cursor: '0' });
		onTestFinished(() => viewer.close());
		return viewer;
	}

	/** As many readings as the spec's 60 s bring, then some more. */
	async function during(): Promise<void> {
		const before = feeder.told;
		feeder.pace(DURING);
		await sleep(CUT_SECONDS * 1000);
		await waitFor(
			'the readings of a minute',
			() => feeder.told - before >= CUT_SECONDS * DURING * 0.98,
			TIMEOUT_MS / 3,
		);
		feeder.pace(BEFORE_AND_AFTER);
	}

	/** Resolves when so many more readings have been acknowledged. */
	async function fed(readings: number): Promise<void> {
		const until = feeder.told + readings;
		await waitFor('more readings to be fed', () => feeder.told >= until, 30_000);
	}

	/**
	 * Waits until all is quiet, and requires that every reading was shown, or is said to be superseded; in order; none
	 * twice.
	 */
	async function settle(name: string): Promise<void> {
		await fed(100);
		await feeder.stop();
		await relayed(gateway);
		const last = feeder.told - 1;
		for (const viewer of viewers) await waitFor('the last reading', () => viewer.shown.at(-1)?.value === last, 60_000);
		const positions = await positionsOf(redis);
		const found = viewers.map(({ shown, superseded }) => {
			const values = shown.map(({ value }) => value);
			const known = new Set(values);
			const missing = positions.filter(({ value }) => !known.has(value));
			const told = (position: string) =>
				superseded.some(({ from, cursor }) => compare(from ?? '0', position) < 0 && compare(position, cursor) <= 0);
			return {
				outOfOrder: values.filter((value, index) => index > 0 && value < values[index - 1]!).length,
				twice: values.length - known.size,
				neitherShownNorSuperseded: missing.filter(({ position }) => !told(position)).length,
			};
		});
		const counts = viewers.map(({ shown, superseded, connections }) => ({
			shown: shown.length,
			superseded: superseded.length,
			connections,
		}));
		process.stdout.write(`${name}: of ${feeder.told} readings ${JSON.stringify(counts)}\n`);
		expect(positions.map(({ value }) => value)).toEqual(Array.from({ length: feeder.told }, (_, value) => value));
		expect(found).toEqual(viewers.map(() => ({ outOfOrder: 0, twice: 0, neitherShownNorSuperseded: 0 })));
	}

	it(
		"shows every reading in order and once after the browser's line was cut",
		async () => {
			proxy.cut();
			await during();
			proxy.restore();
			await waitFor('the browser to be back', () => viewers[0]!.connections > 1);
			await settle('line cut');
			expect(viewers[0]!.superseded).toEqual([]);
		},
		TIMEOUT_MS,
	);

	it(
		"shows or supersedes every reading after the browser's line stalled silently",
		async () => {
			proxy.stall();
			await during();
			proxy.resume();
			await settle('line stalled');
		},
		TIMEOUT_MS,
	);

	it(
		'shows every reading in order and once after Redis was killed and came back whole',
		async () => {
			await redis.kill();
			await during();
			await redis.restart();
			await relayed(gateway);
			await settle('Redis killed');
			expect(viewers.map(({ superseded }) => superseded)).toEqual([[], []]);
		},
		TIMEOUT_MS,
	);

	it.each([
		['the last it had shown', (server: RedisServer) => cutAppendOnlyFile(server, 20_000)],
		['anything', ({ dir }: RedisServer) => rm(join(dir, 'appendonlydir'), { recursive: true })],
	])(
		'shows every reading in order and once after Redis came back without %s',
		async (what, lose) => {
			await fed(200);
			await redis.kill();
			await lose(redis);
			await during();
			await redis.restart();
			await tellBuilding();
			await relayed(gateway);
			await waitFor('what Redis had lost', async () => (await socket.metric('socket_repeated_total')) > 0);
			await settle(`Redis without ${what}`);
			expect(viewers.map(({ superseded }) => superseded)).toEqual([[], []]);
		},
		TIMEOUT_MS,
	);

	it(
		'shows every reading in order and once after the socket service was killed',
		async () => {
			await socket.kill();
			await during();
			await socket.start();
			await settle('service killed');
			expect(viewers.map(({ superseded }) => superseded)).toEqual([[], []]);
		},
		TIMEOUT_MS,
	);

	it(
		'moves the dashboards of a killed replica to the other, with every reading in order and once',
		async () => {
			const other = await startReplica();
			viewers.push(await view(other.url));
			proxy.cut();
			await socket.kill();
			await during();
			proxy.lead(other.url);
			proxy.restore();
			await waitFor('the dashboard at the other replica', () => viewers[0]!.connections > 1);
			await fed(100);
			await socket.start();
			await settle('replica killed');
			expect(viewers.map(({ superseded }) => superseded)).toEqual([[], [], []]);
		},
		TIMEOUT_MS,
	);
});

/** Every reading in the stream with its place, in order. */
async function positionsOf({ url }: RedisServer): Promise<{ position: string; value: number }[]> {
	const client = new Redis(url);
	try {
		const entries = await client.xrange(STREAMS.telemetry, '-', '+');
		return entries.map(([position, fields]) => ({
			position,
			value: (JSON.parse(fields[1]!) as { value: number }).value,
		}));
	} finally {
		client.disconnect();
	}
}

function compare(a: string, b: string): number {
	const [aMs, aSeq = 0] = a.split('-').map(Number);
	const [bMs, bSeq = 0] = b.split('-').map(Number);
	return aMs! - bMs! || aSeq - bSeq;
}
