import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitWorker, Log, type LogOptions, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Relay } from './relay.ts';

const logger = createLogger('test', 'silent');
let server: RedisServer;
let redis: Redis;
let worker: CommitWorker;

beforeAll(async () => {
	server = await startRedis();
	worker = startCommitWorker();
	redis = new Redis(server.url);
});
afterAll(async () => {
	redis?.disconnect();
	await worker?.close();
	await server?.stop();
});
beforeEach(() => redis.flushall());

async function openLog(options: Partial<LogOptions> = {}): Promise<Log> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-relay-'));
	const log = await Log.open({ dir, worker, maxBytes: 32 * 1024 * 1024, ...options });
	onTestFinished(async () => {
		await log.close();
		await rm(dir, { recursive: true, force: true });
	});
	return log;
}

/** Readings of several buildings in turn, some of them with long names. */
const reading = (number: number) =>
	JSON.stringify({ id: `r-${number}`, sensorName: 'x'.repeat(number % 300), buildingId: `b${(number >> 3) % 5}` });

/** Appends the readings with these numbers. */
async function fill(log: Log, from: number, to: number): Promise<void> {
	for (let at = from; at < to; at += 1000) {
		const count = Math.min(1000, to - at);
		await log.append(Array.from({ length: count }, (_, index) => ({ payload: reading(at + index) })));
	}
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

function startRelay(log: Log): Relay {
	const relay = new Relay({ log, url: server.url, gatewayId: 'pi', field: 'reading', logger, trim: async () => ({}) });
	onTestFinished(() => relay.stop());
	relay.start();
	return relay;
}

const caughtUp = (relay: Relay) => waitFor('the relay to catch up', () => relay.stats().lag === 0);
const numberIn = (text: string) => Number(/"id":"r-(\d+)"/.exec(text)![1]);

/** The numbers of the readings in the stream, and the gap before each, if there is one. */
async function stream(): Promise<{ number: number; reading: string; gap: string | undefined }[]> {
	const entries = await redis.xrange('telemetry', '-', '+');
	return entries.map(([, [, text, , gap]]) => ({ number: numberIn(text!), reading: text!, gap }));
}

describe('P1 the relay reads the next batch while Redis works on one', () => {
	it('appends a long backlog in order, with every gap before the reading that follows it', async () => {
		const size = { maxBytes: 4 * 1024 * 1024, segmentBytes: 256 * 1024, whenFull: 'drop-oldest' } as const;
		const log = await openLog(size);
		const relay = startRelay(log);
		await fill(log, 0, 1000);
		await caughtUp(relay);
		await relay.stop();
		await fill(log, 1000, 26_000);
		const start = log.startOffset;
		expect(start).toBeGreaterThan(2000);
		const again = startRelay(log);
		await caughtUp(again);
		const stored = await stream();
		expect(stored.map(({ number }) => number)).toEqual([...numbers(0, 1000), ...numbers(start, 26_000)]);
		expect(stored.every((one) => one.reading === reading(one.number))).toBe(true);
		const gaps = stored.filter(({ gap }) => gap !== undefined);
		expect(gaps).toHaveLength(1);
		expect(gaps[0]!.number).toBe(start);
		expect(JSON.parse(gaps[0]!.gap!)).toMatchObject([
			{ from: `${log.id}-1000`, to: `${log.id}-${start - 1}`, count: start - 1000, reason: 'dropped-oldest' },
		]);
		expect(again.stats()).toMatchObject({ lost: start - 1000, delivered: 26_000 - start });
	});

	it('announces each reading on the channel of its own building', async () => {
		const log = await openLog();
		const subscriber = redis.duplicate();
		onTestFinished(() => subscriber.disconnect());
		const wrong: string[] = [];
		let announced = 0;
		subscriber.on('pmessage', (_pattern, channel: string, text: string) => {
			announced++;
			const { buildingId } = JSON.parse(text) as { buildingId: string };
			if (channel !== `telemetry:${buildingId}`) wrong.push(`${channel} ${text}`);
		});
		await subscriber.psubscribe('telemetry:*');
		await fill(log, 0, 12_000);
		await caughtUp(startRelay(log));
		await waitFor('the announcements', () => announced === 12_000);
		expect(wrong).toEqual([]);
	});

	it('appends amended readings as amended, and those held back only after their release', async () => {
		const log = await openLog({
			mayAmend: (offset) => offset >= 9000,
			amend: (record) => {
				if (record.offset >= 9000) record.payload = Buffer.from(`${record.payload}`.replace('"id"', '"late":1,"id"'));
			},
		});
		await fill(log, 0, 9000);
		log.holdFrom(log.nextOffset);
		await fill(log, 9000, 20_000);
		const relay = startRelay(log);
		await waitFor('what is not held back', () => relay.stats().delivered === 9000);
		expect(await redis.xlen('telemetry')).toBe(9000);
		log.release();
		await caughtUp(relay);
		const stored = await stream();
		expect(stored.map(({ number }) => number)).toEqual(numbers(0, 20_000));
		expect(stored.filter((one) => one.reading.includes('"late":1'))).toHaveLength(11_000);
	});

	it('begins again at the oldest reading held when Redis loses its data between two batches', async () => {
		const log = await openLog();
		await fill(log, 0, 30_000);
		const relay = startRelay(log);
		await waitFor('some batches', () => relay.stats().delivered > 5000);
		await redis.flushall();
		await waitFor('everything', async () => (await redis.xlen('telemetry')) >= 30_000);
		await caughtUp(relay);
		expect((await stream()).map(({ number }) => number)).toEqual(numbers(0, 30_000));
	});

	it('continues where the cursor in Redis was set to during a batch', async () => {
		const log = await openLog();
		await fill(log, 0, 30_000);
		const relay = startRelay(log);
		const cursor = `{telemetry}:cursor:pi:${log.id}`;
		await waitFor('some batches', () => relay.stats().delivered > 5000);
		// As after the restart of a Redis whose last second of writes was not synced.
		await redis.eval(
			`redis.call('XTRIM', KEYS[1], 'MAXLEN', 0); redis.call('SET', KEYS[2], '2000')`,
			2,
			'telemetry',
			cursor,
		);
		await caughtUp(relay);
		await waitFor('the last reading', async () => (await redis.get(cursor)) === '30000');
		expect((await stream()).map(({ number }) => number)).toEqual(numbers(2000, 30_000));
	});
});
