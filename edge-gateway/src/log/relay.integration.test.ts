import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trimStream } from '@crowdvision/bus';
import { type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor, within } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Relay, type RelayParts } from './relay.ts';

/** The key of the cursor that Redis holds for a log. */
const cursorOf = (log: Log) => `{telemetry}:cursor:pi:${log.id}`;
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

async function openLog(): Promise<Log> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-relay-'));
	const log = await Log.open({ dir, worker, maxBytes: 16 * 1024 * 1024 });
	onTestFinished(async () => {
		await log.close();
		await rm(dir, { recursive: true, force: true });
	});
	return log;
}

let lastNumber = 0;
/** A reading as the intake writes it: one line of JSON with an id. */
const readingIn = (buildingId: string) =>
	JSON.stringify({ id: `r-${++lastNumber}`, sensorId: 's', buildingId, value: lastNumber });

/** Appends `count` readings; returns them. */
async function fill(log: Log, count: number, buildingId = 'b1'): Promise<string[]> {
	const readings = Array.from({ length: count }, () => readingIn(buildingId));
	await log.append(readings.map((payload) => ({ payload })));
	return readings;
}

function startRelay(log: Log, parts: Partial<RelayParts> = {}): Relay {
	const relay = new Relay({
		log,
		url: server.url,
		gatewayId: 'pi',
		field: 'reading',
		logger,
		trim: async () => ({}),
		...parts,
	});
	onTestFinished(() => relay.stop());
	relay.start();
	return relay;
}

async function stream(): Promise<string[]> {
	const entries = await redis.xrange('telemetry', '-', '+');
	return entries.map(([, [field, reading]]) => (field === 'reading' ? reading! : `field ${field}`));
}

const caughtUp = (relay: Relay) => waitFor('the relay to catch up', () => relay.stats().lag === 0);

/** A proxy to Redis. It applies `fault` to the first connection on which `word` is sent to Redis. */
async function faultyWire(word: string, fault: 'hold' | 'lose answer') {
	const sockets = new Set<Socket>();
	let held: { upstream: Socket; bytes: Buffer } | undefined;
	let struck = false;
	let connections = 0;
	const wire = createServer((client) => {
		connections++;
		const upstream = connect(server.port, '127.0.0.1');
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.on('error', () => {}).on('close', () => sockets.delete(socket));
		}
		let deaf = false;
		client.on('data', (bytes: Buffer) => {
			if (struck || !bytes.includes(word)) return void upstream.write(bytes);
			struck = true;
			if (fault === 'hold') {
				held = { upstream, bytes };
				client.destroy();
			} else {
				deaf = true;
				upstream.write(bytes);
			}
		});
		upstream.on('data', (bytes: Buffer) => {
			if (deaf) client.destroy();
			else client.write(bytes);
		});
		client.on('close', () => held?.upstream !== upstream && upstream.destroy());
		upstream.on('close', () => client.destroy());
	});
	const port = await freePort();
	await new Promise<void>((resolve) => wire.listen(port, '127.0.0.1', resolve));
	onTestFinished(async () => {
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => wire.close(resolve));
	});
	return {
		url: `redis://127.0.0.1:${port}`,
		connections: () => connections,
		struck: () => struck,
		/** Sends on what was held; resolves when Redis has answered. */
		async release(): Promise<string> {
			const { upstream, bytes } = held!;
			const answer = new Promise<string>((resolve) =>
				upstream.once('data', (data: Buffer) => resolve(data.toString())),
			);
			upstream.write(bytes);
			return answer;
		},
	};
}

describe('P1 the relay appends each reading exactly once', () => {
	it('appends earlier and later readings in order, and publishes each on the channel of its building', async () => {
		const log = await openLog();
		const subscriber = redis.duplicate();
		onTestFinished(() => subscriber.disconnect());
		const published: [channel: string, reading: string][] = [];
		subscriber.on('pmessage', (_pattern, channel: string, reading: string) => void published.push([channel, reading]));
		await subscriber.psubscribe('telemetry:*');

		const early = await fill(log, 2500);
		const relay = startRelay(log);
		const late = [...(await fill(log, 3, 'b 2')), ...(await fill(log, 1))];
		await caughtUp(relay);
		expect(await stream()).toEqual([...early, ...late]);
		await waitFor('the announcements', () => published.length >= early.length + late.length);
		expect(published).toEqual(
			[...early, ...late].map((reading) => [
				`telemetry:${(JSON.parse(reading) as { buildingId: string }).buildingId}`,
				reading,
			]),
		);
		expect(relay.trouble()).toBeUndefined();
	});

	it('continues where the cursor in Redis stands, not where its own does', async () => {
		const log = await openLog();
		const first = await fill(log, 10);
		const before = startRelay(log);
		await caughtUp(before);
		await before.stop();
		// As after a crash, when the file of the cursor is older than the cursor in Redis.
		log.cursor('relay').commit(3);
		const second = await fill(log, 5);
		await caughtUp(startRelay(log));
		expect(await stream()).toEqual([...first, ...second]);
	});

	it('moves the cursor together with the readings, so that no reader sees one without the other', async () => {
		const log = await openLog();
		const relay = startRelay(log);
		const seen = new Set<number>();
		let done = false;
		const watching = (async () => {
			while (!done) {
				const [length, next] = (await redis.multi().xlen('telemetry').get(cursorOf(log)).exec())!.map(([, value]) =>
					Number(value ?? 0),
				);
				expect(next).toBe(length);
				seen.add(length!);
			}
		})();
		for (let batch = 0; batch < 200; batch++) await fill(log, 1 + (batch % 7));
		await caughtUp(relay);
		done = true;
		await watching;
		expect(seen.size).toBeGreaterThan(3);
	});

	it.each([0, 20])(
		'appends nothing when a batch of an abandoned connection runs late, with %i readings in Redis before',
		async (before) => {
			const log = await openLog();
			const readings = await fill(log, before);
			if (before > 0) {
				const relay = startRelay(log);
				await caughtUp(relay);
				await relay.stop();
			}
			const wire = await faultyWire('XADD', 'hold');
			readings.push(...(await fill(log, 30)));
			const relay = startRelay(log, { url: wire.url });
			await caughtUp(relay);
			expect(wire.connections()).toBe(2);
			expect(await stream()).toEqual(readings);
			const cursor = await redis.get(cursorOf(log));

			await wire.release();
			expect(await stream()).toEqual(readings);
			expect(await redis.get(cursorOf(log))).toEqual(cursor);
			readings.push(...(await fill(log, 5)));
			await caughtUp(relay);
			expect(await stream()).toEqual(readings);
		},
	);

	it.each([0, 20])(
		'does not repeat a batch whose answer was lost, with %i readings in Redis before',
		async (before) => {
			const log = await openLog();
			const readings = await fill(log, before);
			if (before > 0) {
				const relay = startRelay(log);
				await caughtUp(relay);
				await relay.stop();
			}
			const wire = await faultyWire('XADD', 'lose answer');
			readings.push(...(await fill(log, 30)));
			const relay = startRelay(log, { url: wire.url });
			readings.push(...(await fill(log, 5)));
			await waitFor('the fault', () => wire.struck());
			await waitFor('all readings', async () => (await redis.xlen('telemetry')) >= readings.length);
			await caughtUp(relay);
			expect(wire.connections()).toBe(2);
			expect(await stream()).toEqual(readings);
		},
	);

	it('keeps the logs of two gateways with the same name apart', async () => {
		const logs = [await openLog(), await openLog()];
		const relays = logs.map((log) => startRelay(log));
		const readings = logs.map(() => [] as string[]);
		for (let round = 0; round < 20; round++) {
			for (const [index, log] of logs.entries()) readings[index]!.push(...(await fill(log, 3, `b${index}`)));
		}
		await Promise.all(relays.map(caughtUp));
		const stored = await stream();
		for (const [index, expected] of readings.entries())
			expect(stored.filter((reading) => reading.includes(`"b${index}"`))).toEqual(expected);
		expect(stored).toHaveLength(120);
	});

	it('continues after readings that are gone from the log, and counts them', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-relay-'));
		onTestFinished(() => rm(dir, { recursive: true, force: true }));
		const log = await Log.open({ dir, worker, maxBytes: 256 * 1024, segmentBytes: 64 * 1024, whenFull: 'drop-oldest' });
		onTestFinished(() => log.close());
		// Redis is away for so long that the log must give up its oldest readings.
		log.cursor('relay');
		const readings: string[] = [];
		for (let batch = 0; batch < 40; batch++) readings.push(...(await fill(log, 200)));
		const kept = readings.slice(log.startOffset);
		expect(kept.length).toBeLessThan(readings.length);
		const relay = startRelay(log);
		await caughtUp(relay);
		expect(await stream()).toEqual(kept);
		expect(relay.stats().lost).toBe(readings.length - kept.length);
	});
});

describe('the relay of a Redis in trouble', () => {
	it('waits while a consumer group is too far behind, reports that, and continues when it has caught up', async () => {
		const log = await openLog();
		await redis.xgroup('CREATE', 'telemetry', 'slow', '$', 'MKSTREAM');
		for (let entry = 0; entry < 60; entry++) await redis.xadd('telemetry', '*', 'reading', readingIn('b1'));
		const readings = await fill(log, 10);
		const relay = startRelay(log, { trim: (client) => trimStream(client, 'telemetry', { keep: 10, max: 50 }) });
		await waitFor(
			'the relay to say what is wrong',
			() => relay.trouble() === 'Redis: the stream is full, group slow is behind',
		);
		expect(await redis.xlen('telemetry')).toBe(60);
		expect(relay.stats().lag).toBe(readings.length);

		const [[, delivered]] = (await redis.xreadgroup(
			'GROUP',
			'slow',
			'one',
			'COUNT',
			100,
			'STREAMS',
			'telemetry',
			'>',
		)) as [[string, [string, string[]][]]];
		await redis.xack('telemetry', 'slow', ...delivered.map(([id]) => id));
		// Redis trims whole nodes only: what remains must still fit the bound.
		await redis.xtrim('telemetry', 'MAXLEN', 20);
		await caughtUp(relay);
		await vi.waitFor(() => expect(relay.trouble()).toBeUndefined());
		expect((await stream()).slice(-readings.length)).toEqual(readings);
	});

	it('reports that Redis refuses a batch, appends nothing of it, and continues when there is room', async () => {
		const log = await openLog();
		const readings = await fill(log, 500);
		await redis.config('SET', 'maxmemory', '1mb');
		onTestFinished(async () => void (await redis.config('SET', 'maxmemory', '0')));
		const relay = startRelay(log);
		await waitFor('the relay to say what is wrong', () => relay.trouble()?.includes('OOM'));
		expect(await redis.xlen('telemetry')).toBe(0);
		await redis.config('SET', 'maxmemory', '0');
		await caughtUp(relay);
		expect(await stream()).toEqual(readings);
	});

	it('stops within a few seconds while Redis hangs during a batch', async () => {
		const own = await startRedis();
		onTestFinished(() => own.stop());
		const log = await openLog();
		await fill(log, 1);
		const relay = startRelay(log, { url: own.url });
		await caughtUp(relay);
		await own.kill('SIGSTOP');
		await fill(log, 1);
		await within('stopping', relay.stop(), 8000);
		expect(relay.stats().lag).toBe(1);
	});

	it('stops at once while Redis is away', async () => {
		const log = await openLog();
		await fill(log, 1);
		const relay = new Relay({
			log,
			url: `redis://127.0.0.1:${await freePort()}`,
			gatewayId: 'pi',
			field: 'reading',
			logger,
			trim: async () => ({}),
		});
		relay.start();
		await waitFor(
			'the relay to say what is wrong',
			() => relay.trouble()?.includes('ECONNREFUSED') || relay.trouble()?.includes('closed'),
		);
		await relay.stop();
		expect(relay.stats()).toMatchObject({ lag: 1, delivered: 0 });
	});
});
