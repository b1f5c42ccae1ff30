import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reading, ReadingGap } from '@crowdvision/contracts';
import { type CommitWorker, Log, LogFullError, startCommitWorker, type WhenFull } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Relay } from '../../src/log/relay.ts';

/** For a longer outage, more sensors or a larger disk: `OUTAGE_HOURS`, `OUTAGE_SENSORS`, `OUTAGE_QUOTA_MIB`. */
const HOURS = Number(process.env.OUTAGE_HOURS ?? 24);
const SENSORS = Number(process.env.OUTAGE_SENSORS ?? 12);
const QUOTA = Number(process.env.OUTAGE_QUOTA_MIB ?? 16) * 1024 * 1024;
/** Ten times the usual rate of one reading a minute. */
const PER_MINUTE = 10;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const MINUTE_MS = 60_000;
const BEGIN = Date.UTC(2026, 10, 27);
const thin = new URL('../../src/log/thin-thread.ts', import.meta.url).href;

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

const memory = () => {
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
};

/** Bytes of all files in a folder. */
function bytesIn(dir: string): number {
	return readdirSync(dir).reduce(
		(sum, name) => sum + (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0),
		0,
	);
}

/** Sensors with numbered readings; half of them are doors. */
class Fleet {
	readonly crossed = { in: 0, out: 0 };
	#seq = 0;

	/** The readings of one minute, spread over it, as the log holds them from `offset` on. */
	minute(begin: number, offset: number, logId: string): { payload: string; at: number }[] {
		const count = SENSORS * PER_MINUTE;
		return Array.from({ length: count }, (_, index) => {
			const sensor = index % SENSORS;
			const at = begin + Math.floor((index * MINUTE_MS) / count);
			const seq = this.#seq++;
			const door = sensor % 2 === 0;
			const crossings = { in: seq % 3, out: (seq + 1) % 3 };
			const reading = {
				id: `${logId}-${offset + index}`,
				sensorId: `s-${sensor}`,
				metric: door ? 'peopleCount' : 'co2',
				unit: door ? 'person' : 'ppm',
				buildingId: 'b1',
				roomId: `room-${sensor % 3}`,
				gatewayId: 'pi',
				transport: 'mqtt',
				value: 400 + (seq % 97),
				observedAt: at,
				receivedAt: at,
				timeQuality: 'synced',
				...(door && { crossings }),
			};
			return { payload: JSON.stringify(reading), at };
		});
	}

	stored(records: readonly { payload: string }[]): void {
		for (const { payload } of records) {
			const { crossings } = JSON.parse(payload) as Reading;
			this.crossed.in += crossings?.in ?? 0;
			this.crossed.out += crossings?.out ?? 0;
		}
	}
}

interface Outage {
	log: Log;
	fleet: Fleet;
	/** Readings that were acknowledged. */
	acknowledged: number;
	refused: number;
	/** When the first reading was refused, in hours after the beginning. */
	fullAfter: number | undefined;
	/** The forecast at the end of each hour, in hours until the log is full. */
	forecasts: number[];
	grown: number;
	largest: number;
}

/** A day without Redis, as fast as the disk allows. */
async function outage(whenFull: WhenFull): Promise<Outage> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-outage-'));
	let now = 0;
	const log = await Log.open({
		dir,
		worker,
		maxBytes: QUOTA,
		whenFull,
		thin,
		monotonic: () => now,
		maxAgeMs: 7 * 24 * 3600_000,
	});
	onTestFinished(async () => {
		await log.close();
		await rm(dir, { recursive: true, force: true });
	});
	log.cursor('relay');
	const fleet = new Fleet();
	const result: Outage = {
		log,
		fleet,
		acknowledged: 0,
		refused: 0,
		fullAfter: undefined,
		forecasts: [],
		grown: 0,
		largest: 0,
	};
	const before = memory();
	for (let minute = 0; minute < HOURS * 60; minute++) {
		now = minute * MINUTE_MS;
		const records = fleet.minute(BEGIN + now, log.nextOffset, log.id);
		try {
			await append(log, records, whenFull);
			result.acknowledged += records.length;
			fleet.stored(records);
		} catch (error) {
			if (!(error instanceof LogFullError)) throw error;
			result.refused += records.length;
			result.fullAfter ??= minute / 60;
		}
		if (minute % 60 !== 0) continue;
		result.forecasts.push(log.stats().hoursToFull);
		result.largest = Math.max(result.largest, bytesIn(dir));
		result.grown = Math.max(result.grown, memory() - before);
	}
	return result;
}

/** While the log is being thinned it has room again in a moment, and a device tries again. */
async function append(log: Log, records: { payload: string; at: number }[], whenFull: WhenFull): Promise<void> {
	for (;;) {
		try {
			await log.append(records);
			return;
		} catch (error) {
			if (whenFull !== 'thin' || !(error instanceof LogFullError)) throw error;
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}
}

interface Delivered {
	readings: Reading[];
	gaps: ReadingGap[];
}

/** Redis is back: everything it gets, with one reading after the outage. */
async function afterwards(log: Log, fleet: Fleet): Promise<Delivered> {
	const relay = new Relay({
		log,
		url: server.url,
		gatewayId: 'pi',
		field: 'reading',
		logger: createLogger('test', 'silent'),
		trim: async () => ({}),
	});
	onTestFinished(() => relay.stop());
	relay.start();
	await waitFor('the backlog', () => relay.stats().lag === 0, 120_000);
	await log.append(fleet.minute(BEGIN + HOURS * 60 * MINUTE_MS, log.nextOffset, log.id).slice(0, 1));
	await waitFor('one more', () => relay.stats().lag === 0, 60_000);
	const delivered: Delivered = { readings: [], gaps: [] };
	for (let from = '-'; ; ) {
		const entries = await redis.xrange('telemetry', from, '+', 'COUNT', 5000);
		for (const [, [field, reading, gapField, gap]] of entries) {
			expect(field).toBe('reading');
			delivered.readings.push(JSON.parse(reading!) as Reading);
			if (gapField === undefined) continue;
			expect(gapField).toBe('gap');
			delivered.gaps.push(...(JSON.parse(gap!) as ReadingGap[]));
		}
		if (entries.length === 0) break;
		from = `(${entries.at(-1)![0]}`;
	}
	const ids = delivered.readings.map(({ id }) => Number(id.slice(id.lastIndexOf('-') + 1)));
	expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
	expect(relay.stats().lost).toBe(delivered.gaps.reduce((sum, { count }) => sum + count, 0));
	return delivered;
}

const counted = (gaps: readonly ReadingGap[], reason: string) =>
	gaps.filter((gap) => gap.reason === reason).reduce((sum, { count }) => sum + count, 0);

function expectBounded({ grown, largest }: Outage): void {
	expect(largest).toBeLessThanOrEqual(QUOTA * 1.15);
	expect(grown).toBeLessThanOrEqual(MAX_GROWTH_BYTES);
}

describe(`P3 bounded: ${HOURS} h without Redis at ten times the rate, in ${QUOTA / 1024 / 1024} MiB`, () => {
	it('refuse: nothing acknowledged is lost, the rest is refused, and the alarm came before', async () => {
		const { log, fleet, acknowledged, refused, fullAfter, forecasts, ...bounds } = await outage('refuse');
		expectBounded({ log, fleet, acknowledged, refused, fullAfter, forecasts, ...bounds });
		expect(refused).toBeGreaterThan(0);
		// From the second hour on, the forecast is right within a tenth.
		for (let hour = 1; hour < fullAfter! - 1; hour++)
			expect(Math.abs(hour + forecasts[hour]! - fullAfter!)).toBeLessThan(fullAfter! / 10);
		expect(forecasts.at(-1)).toBeLessThan(0.5);
		const { readings, gaps } = await afterwards(log, fleet);
		expect(readings).toHaveLength(acknowledged + 1);
		expect(gaps).toEqual([]);
		expect(log.stats().dropped).toEqual({ oldest: 0, newest: 0, expired: 0, thinned: 0 });
		expect(log.stats().hoursToFull).toBeGreaterThan(0);
	}, 300_000);

	it('with drop-oldest delivers the newest readings, and one marker for exactly those that are missing', async () => {
		const { log, fleet, acknowledged, ...bounds } = await outage('drop-oldest');
		expectBounded({ log, fleet, acknowledged, ...bounds });
		const { dropped } = log.stats();
		const { readings, gaps } = await afterwards(log, fleet);
		expect(gaps).toEqual([
			{
				gatewayId: 'pi',
				from: `${log.id}-0`,
				to: `${log.id}-${dropped.oldest - 1}`,
				count: dropped.oldest,
				reason: 'dropped-oldest',
				firstAt: BEGIN,
				lastAt: expect.any(Number),
			},
		]);
		expect(gaps[0]!.lastAt).toBeGreaterThan(readings[0]!.receivedAt - 2 * MINUTE_MS);
		expect(readings).toHaveLength(acknowledged + 1 - dropped.oldest);
	}, 300_000);

	it('drop-newest: the oldest are there, and the marker comes with the first reading that fits again', async () => {
		const { log, fleet, acknowledged, ...bounds } = await outage('drop-newest');
		expectBounded({ log, fleet, acknowledged, ...bounds });
		const { dropped } = log.stats();
		expect(dropped.newest).toBeGreaterThan(0);
		const { readings, gaps } = await afterwards(log, fleet);
		expect(counted(gaps, 'dropped-newest')).toBe(dropped.newest);
		expect(gaps.every(({ reason }) => reason === 'dropped-newest')).toBe(true);
		expect(readings).toHaveLength(acknowledged + 1 - dropped.newest);
		expect(gaps.at(-1)!.lastAt).toBe(
			BEGIN + (HOURS * 60 - 1) * MINUTE_MS + MINUTE_MS - MINUTE_MS / (SENSORS * PER_MINUTE),
		);
	}, 300_000);

	it('thin: every hour has the last, lowest and highest of each minute and sensor, and every crossing', async () => {
		const { log, fleet, acknowledged, ...bounds } = await outage('thin');
		expectBounded({ log, fleet, acknowledged, ...bounds });
		const { readings, gaps } = await afterwards(log, fleet);
		const { dropped } = log.stats();
		expect(dropped.thinned).toBeGreaterThan(0);
		expect(counted(gaps, 'thinned')).toBe(dropped.thinned);
		expect(counted(gaps, 'dropped-oldest')).toBe(acknowledged + 1 - readings.length - dropped.thinned);
		if (dropped.oldest === 0) {
			const hours = new Set(readings.map(({ observedAt }) => Math.floor((observedAt - BEGIN) / 3600_000)));
			expect(hours.size).toBe(HOURS + 1);
			const minutes = new Set(
				readings.map(({ sensorId, observedAt }) => `${sensorId} ${Math.floor(observedAt / MINUTE_MS)}`),
			);
			expect(minutes.size).toBeGreaterThanOrEqual(HOURS * 60 * SENSORS);
			const last = readings.pop()!;
			const crossed = readings.reduce(
				(sum, { crossings }) => ({ in: sum.in + (crossings?.in ?? 0), out: sum.out + (crossings?.out ?? 0) }),
				{
					in: 0,
					out: 0,
				},
			);
			expect(crossed).toEqual(fleet.crossed);
			expect(last.observedAt).toBe(BEGIN + HOURS * 3600_000);
		}
	}, 300_000);
});
