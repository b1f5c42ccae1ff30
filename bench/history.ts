/** Measures how fast each storage engine answers for the history of a room. */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT_IN_METRICS, freshMs, type MetricKey } from '@crowdvision/contracts';
import { openStores, type PlacedReading, type Readings } from '@crowdvision/store';
import { mongoForTests, whyNoMongo } from '@crowdvision/testing/mongod';
import { history, parseHistoryQuery, rollUpStale } from '@crowdvision/twin';
import { median } from './report.ts';

const DAY_MS = 24 * 3600_000;
const DAYS = 30;
const EVERY_MS = 10_000;
const BATCH = 256;
const BOUND_MS = 100;
const ASKED = 40;
const METRIC: MetricKey = 'co2';
const HALL = {
	id: 'hall',
	name: 'Hall',
	capacity: 100,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 9, height: 3, depth: 9 },
};
const BUILDING = { id: 'works', timeZone: 'Europe/Rome', rooms: [HALL] };
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/**
 * Measures on each storage engine how long the twin takes to answer for hourly averages of one room over 30 days with a
 * reading every 10 s, without HTTP. The readings are inserted and rolled up before, as the twin does when they arrive.
 */
export async function histories(): Promise<string> {
	const lines = [
		`history of one room, ${DAYS} days at 1 reading / ${EVERY_MS / 1000} s, hourly average; bound ${BOUND_MS} ms`,
	];
	lines.push(await onSqlite());
	const why = whyNoMongo();
	lines.push(why ? `MongoDB: not measured, ${why}` : await onMongo());
	return lines.join('\n');
}

async function onSqlite(): Promise<string> {
	const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-bench-'));
	try {
		return await measured('SQLite', { dataDir });
	} finally {
		await rm(dataDir, { recursive: true, force: true });
	}
}

async function onMongo(): Promise<string> {
	const mongo = await mongoForTests();
	try {
		return await measured('MongoDB', { dataDir: tmpdir(), mongoUrl: mongo.database() });
	} finally {
		await mongo.stop();
	}
}

async function measured(name: string, engine: { dataDir: string; mongoUrl?: string }): Promise<string> {
	const stores = await openStores({ ...engine, logger: silent });
	try {
		const { readings } = await stores.open('history', {
			collections: {},
			readings: { readingsMs: 40 * DAY_MS, rollUpsMs: 400 * DAY_MS },
		});
		const now = Date.now();
		const [takenIn, stored] = await timed(() => takeIn(readings, now));
		const [rolledUp, periods] = await timed(() => rollUp(readings, now));
		const query = parseHistoryQuery(
			BUILDING,
			{ room: 'hall', metric: METRIC, from: String(now - DAYS * DAY_MS), to: String(now), bucket: '1h' },
			now,
			BUILT_IN_METRICS,
		);
		const took: number[] = [];
		for (let n = 0; n < ASKED; n++) {
			const [ms, points] = await timed(() => history(readings, query, now, BUILT_IN_METRICS));
			const unknown = points.filter(({ coverage }) => coverage < 0.9).length;
			// The first and the last hour are incomplete.
			if (points.length < DAYS * 24 || unknown > 2)
				throw new Error(`${name}: ${unknown} of ${points.length} hours are unknown`);
			took.push(ms);
		}
		const [first, ...later] = took as [number, ...number[]];
		later.sort((a, b) => a - b);
		const p95 = later[Math.floor(later.length * 0.95)]!;
		const verdict = p95 <= BOUND_MS ? 'within the bound' : 'OVER THE BOUND';
		const perSecond = Math.round((stored / takenIn) * 1000);
		return (
			`${name}: first ${first.toFixed(0)} ms, then p50 ${median(later).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms: ` +
			`${verdict} (load average ${loadavg()[0]!.toFixed(1)}); ` +
			`${stored.toLocaleString('en')} taken in at ${perSecond.toLocaleString('en')}/s in batches of ${BATCH}, ` +
			`${periods.toLocaleString('en')} quarter-hours rolled up at ${Math.round((periods / rolledUp) * 1000)}/s`
		);
	} finally {
		await stores.close();
	}
}

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
	const began = performance.now();
	const result = await work();
	return [performance.now() - began, result];
}

async function takeIn(readings: Readings, now: number): Promise<number> {
	const most = (DAYS * DAY_MS) / EVERY_MS;
	const options = { holdMs: freshMs(METRIC), after: (a: string, b: string) => Number(a) > Number(b) };
	for (let first = 0; first < most; first += BATCH) {
		const batch = Array.from({ length: Math.min(BATCH, most - first) }, (_, n) =>
			placed(first + n, now - (most - first - n) * EVERY_MS),
		);
		await readings.insert(batch, { stream: 'telemetry', position: batch.at(-1)!.position }, options);
	}
	return most;
}

async function rollUp(readings: Readings, now: number): Promise<number> {
	for (let all = 0; ; ) {
		const done = await rollUpStale(readings, now, 100, BUILT_IN_METRICS);
		all += done;
		if (done === 0) return all;
	}
}

const placed = (n: number, observedAt: number): PlacedReading => ({
	position: String(n + 1),
	reading: {
		id: `bench-${n + 1}`,
		sensorId: 'co2-1',
		metric: METRIC,
		value: 400 + (n % 997),
		unit: 'ppm',
		buildingId: BUILDING.id,
		roomId: 'hall',
		observedAt,
		receivedAt: observedAt,
		gatewayId: 'bench',
		transport: 'mqtt',
		timeQuality: 'synced',
	},
});
