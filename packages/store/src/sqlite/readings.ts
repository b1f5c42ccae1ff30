/** Readings as time series in SQLite. */
import { CrowdVisionError, type Transport } from '@crowdvision/contracts';
import { SerialQueue } from '@crowdvision/service-kit/concurrency';
import { intakeOf, type KnownSeries, keyOf, momentOf, periodOf, placeOf } from '../intake.ts';
import {
	type InsertOptions,
	type Latest,
	type PlacedReading,
	type ReadingRetention,
	type Readings,
	ROLL_UP_MS,
	type RollUp,
	type RoomMetric,
	type Sample,
	type StalePeriod,
	type TimeRange,
} from '../store.ts';
import type { SqliteDatabase } from './engine.ts';
import { insertStatements } from './insert-statements.ts';
import type { SqlValue } from './protocol.ts';

const MAX_WAITING = 100;
/** Rows deleted per statement, so that other requests run in between. */
const CHUNK = 5000;

const OF_ROOM = 'building = ? AND room = ? AND metric = ?';
/** Joins series with a JSON array of places. */
const IS_WANTED = `building = wanted.value ->> 0 AND room = wanted.value ->> 1
	AND metric = wanted.value ->> 2 AND sensor = wanted.value ->> 3`;
const PROGRESS = 'SELECT position FROM progress WHERE stream = ?';

type SeriesRow = KnownSeries & { building: string; room: string; metric: string; sensor: string };
type SampleRow = Omit<Sample, 'freshFor' | 'clipped'> & { freshFor: number | null; clipped: number | null };
type RollUpRow = Omit<RollUp, 'sensorId' | 'clipped'> & { incompleteMs: number; clipped: number | null };
type LatestRow = Omit<Latest, 'transport' | 'low' | 'high' | 'freshFor' | 'sensorName' | 'clipped'> & {
	transport: Transport | null;
	low: number | null;
	high: number | null;
	freshFor: number | null;
	sensorName: string | null;
	clipped: number | null;
};

/** Readings in the tables of schema.ts. */
export class SqliteReadings implements Readings {
	readonly #database: SqliteDatabase;
	readonly #retention: ReadingRetention;
	/** One batch at a time: its changes are computed before its transaction, and nothing may change them in between. */
	readonly #queue = new SerialQueue(MAX_WAITING);

	constructor(database: SqliteDatabase, retention: ReadingRetention) {
		this.#database = database;
		this.#retention = retention;
	}

	insert(
		batch: readonly PlacedReading[],
		progress: { stream: string; position: string },
		options: InsertOptions,
	): Promise<void> {
		return this.#queue.run(async () => {
			const { known, stored, forgotten } = await this.#before(batch);
			await this.#database.transaction(insertStatements(intakeOf(batch, known, stored, forgotten, options), progress));
		});
	}

	async progress(stream: string): Promise<string | undefined> {
		return (await this.#database.get<{ position: string }>(PROGRESS, [stream]))?.position;
	}

	async latest(stream: string, buildingId: string): Promise<{ position: string | undefined; latest: Latest[] }> {
		const [progress, series] = await this.#database.transaction([
			{ sql: PROGRESS, params: [stream] },
			{
				sql: `SELECT room AS roomId, metric, sensor AS sensorId, value, low, high, fresh_for AS freshFor,
					sensor_name AS sensorName, clipped, observed_at AS observedAt, transport, unchanged_since AS unchangedSince
					FROM series WHERE building = ? AND observed_at IS NOT NULL ORDER BY key`,
				params: [buildingId],
			},
		]);
		return {
			position: (progress!.rows as { position: string }[])[0]?.position,
			latest: (series!.rows as LatestRow[]).map(({ transport, low, high, freshFor, sensorName, clipped, ...row }) => ({
				...row,
				...(sensorName !== null && { sensorName }),
				...(clipped !== null && { clipped: true as const }),
				...(low !== null && high !== null && { low, high }),
				...(freshFor !== null && { freshFor }),
				...(transport && { transport }),
			})),
		};
	}

	async samples(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange, limit: number): Promise<Sample[]> {
		const rows = await this.#database.all<SampleRow>(
			`SELECT ${SAMPLE} FROM series CROSS JOIN readings ON readings.series = key WHERE ${OF_ROOM}${onlyOf(of)}
				AND readings.observed_at >= ? AND readings.observed_at < ?
				ORDER BY readings.observed_at, sensor, readings.id LIMIT ?`,
			[...seriesOf(of), from, to, limit],
		);
		return rows.map(sampleOf);
	}

	async lastSamples(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange): Promise<Sample[]> {
		const rows = await this.#database.all<SampleRow>(
			`SELECT ${SAMPLE} FROM series CROSS JOIN readings ON readings.series = key
				AND (readings.observed_at, readings.id) = (SELECT observed_at, id FROM readings
					WHERE series = key AND observed_at >= ? AND observed_at < ? ORDER BY observed_at DESC, id DESC LIMIT 1)
				WHERE ${OF_ROOM}${onlyOf(of)} ORDER BY readings.observed_at, sensor`,
			[from, to, ...seriesOf(of)],
		);
		return rows.map(sampleOf);
	}

	async rollUps(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange): Promise<RollUp[]> {
		const rows = await this.#database.all<RollUpRow>(
			`SELECT start, known_ms AS knownMs, weighted, count, min, max, last, last_at AS lastAt,
				incomplete_ms AS incompleteMs, roll_ups.clipped AS clipped
				FROM series CROSS JOIN roll_ups ON series = key
				WHERE ${OF_ROOM} AND sensor = ? AND start >= ? AND start < ? ORDER BY start`,
			[...roomOf(of), of.sensorId ?? '', from, to],
		);
		return rows.map(({ clipped, incompleteMs, ...row }) => ({
			...row,
			...(incompleteMs > 0 && { incompleteMs }),
			...(clipped !== null && { clipped: true as const }),
			...(of.sensorId !== undefined && { sensorId: of.sensorId }),
		}));
	}

	async stalePeriods(of: RoomMetric, { from, to }: TimeRange): Promise<number[]> {
		const rows = await this.#database.all<{ start: number }>(
			`SELECT start FROM series CROSS JOIN stale ON series = key
				WHERE ${OF_ROOM} AND sensor = '' AND start >= ? AND start < ? ORDER BY start`,
			[...roomOf(of), from, to],
		);
		return rows.map(({ start }) => start);
	}

	async nextStale(before: number, limit: number): Promise<StalePeriod[]> {
		const rows = await this.#database.all<{
			building: string;
			room: string;
			metric: string;
			start: number;
			token: number;
		}>(
			`SELECT building, room, metric, start, token FROM stale INDEXED BY stale_queue CROSS JOIN series ON series = key
				WHERE start <= ? AND building IS NOT NULL ORDER BY queued, start LIMIT ?`,
			[before - ROLL_UP_MS, limit],
		);
		return rows.map(({ building, room, metric, start, token }) => ({
			buildingId: building,
			roomId: room,
			metric,
			start,
			token: String(token),
		}));
	}

	async replaceRollUps(period: StalePeriod, rollUps: readonly RollUp[]): Promise<void> {
		const room = roomOf(period);
		try {
			await this.#database.transaction([
				{
					sql: `DELETE FROM stale WHERE series = (SELECT key FROM series WHERE ${OF_ROOM} AND sensor = '')
						AND start = ? AND token = ?`,
					params: [...room, period.start, Number(period.token)],
					expect: 1,
				},
				{
					sql: `DELETE FROM roll_ups WHERE series IN (SELECT key FROM series WHERE ${OF_ROOM}) AND start = ?`,
					params: [...room, period.start],
				},
				{
					sql: `INSERT INTO roll_ups
						(series, start, known_ms, weighted, count, min, max, last, last_at, incomplete_ms, clipped)
						SELECT key, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM series WHERE ${OF_ROOM} AND sensor = ?`,
					many: rollUps.map((one) => [
						...[one.start, one.knownMs, one.weighted, one.count, one.min, one.max, one.last, one.lastAt],
						...[one.incompleteMs ?? 0, one.clipped ? 1 : null, ...room, one.sensorId ?? ''],
					]),
				},
			]);
		} catch (error) {
			if (!(error instanceof CrowdVisionError && error.code === 'conflict')) throw error;
		}
	}

	async makeStale(of: RoomMetric): Promise<void> {
		await this.#database.transaction([
			{ sql: 'UPDATE commits SET n = n + 1' },
			{
				sql: `INSERT INTO stale (series, start, queued, token)
					SELECT key, start, n, n FROM series CROSS JOIN roll_ups ON series = key, commits, forgotten
						WHERE ${OF_ROOM} AND sensor = '' AND start >= before
					ON CONFLICT (series, start) DO UPDATE SET token = excluded.token`,
				params: roomOf(of),
			},
		]);
	}

	async forget(now: number): Promise<void> {
		const before = periodOf(now - this.#retention.readingsMs);
		const keep = Math.max(0, before);
		await this.#queue.run(() =>
			this.#database.transaction([
				{ sql: 'UPDATE forgotten SET before = max(before, ?)', params: [keep] },
				{ sql: 'DELETE FROM stale WHERE start < ?', params: [keep] },
			]),
		);
		// The value that holds at the start of the first remaining period was observed in the period before it.
		await this.#deleteBefore('readings', 'observed_at', before - ROLL_UP_MS);
		await this.#deleteBefore('roll_ups', 'start', now - this.#retention.rollUpsMs);
		await this.#purge();
	}

	async removeBuilding(buildingId: string, room?: string): Promise<void> {
		const [where, params] =
			room === undefined ? ['building = ?', [buildingId]] : ['building = ? AND room = ?', [buildingId, room]];
		await this.#queue.run(() =>
			this.#database.transaction([
				{ sql: `DELETE FROM stale WHERE series IN (SELECT key FROM series WHERE ${where})`, params },
				{ sql: `UPDATE series SET building = NULL WHERE ${where}`, params },
			]),
		);
		await this.#purge();
	}

	/** The state before a batch is stored; `stored` holds the indexes of its readings that are stored already. */
	async #before(
		batch: readonly PlacedReading[],
	): Promise<{ known: Map<string, KnownSeries>; stored: Set<number>; forgotten: number }> {
		const places = new Map(batch.map((placed) => [keyOf(placeOf(placed)), placeOf(placed)]));
		const [series, stored, forgotten] = await this.#database.transaction([
			{
				sql: `SELECT building, room, metric, sensor, series.value, low, high, fresh_for AS freshFor,
					sensor_name AS sensorName, clipped, observed_at AS observedAt, position, transport,
					unchanged_since AS unchangedSince
					FROM json_each(?) AS wanted CROSS JOIN series ON ${IS_WANTED} WHERE observed_at IS NOT NULL`,
				params: [JSON.stringify([...places.values()])],
			},
			{
				sql: `SELECT wanted.key AS n FROM json_each(?) AS wanted CROSS JOIN series ON ${IS_WANTED}
					CROSS JOIN readings ON series = series.key
					AND readings.observed_at = wanted.value ->> 4 AND readings.id = wanted.value ->> 5`,
				params: [JSON.stringify(batch.map((placed) => [...placeOf(placed), momentOf(placed), placed.reading.id]))],
			},
			{ sql: 'SELECT before FROM forgotten' },
		]);
		return {
			known: new Map(
				(series!.rows as SeriesRow[]).map((row) => [keyOf([row.building, row.room, row.metric, row.sensor]), row]),
			),
			stored: new Set((stored!.rows as { n: number }[]).map(({ n }) => n)),
			forgotten: (forgotten!.rows as { before: number }[])[0]!.before,
		};
	}

	/** Deletes the readings and roll-ups of buildings that were removed. */
	async #purge(): Promise<void> {
		const removed = await this.#database.all<{ key: number }>('SELECT key FROM series WHERE building IS NULL');
		for (const { key } of removed) {
			await this.#deleteChunks('readings', 'observed_at, id', 'series = ?', [key]);
			await this.#database.transaction([
				{ sql: 'DELETE FROM roll_ups WHERE series = ?', params: [key] },
				{ sql: 'DELETE FROM series WHERE key = ?', params: [key] },
			]);
		}
	}

	async #deleteBefore(table: 'readings' | 'roll_ups', time: 'observed_at' | 'start', before: number): Promise<void> {
		const series = await this.#database.all<{ key: number }>(
			`SELECT key FROM series WHERE EXISTS (SELECT 1 FROM ${table} WHERE series = key AND ${table}.${time} < ?)`,
			[before],
		);
		const columns = table === 'readings' ? 'observed_at, id' : 'start';
		for (const { key } of series) await this.#deleteChunks(table, columns, `series = ? AND ${time} < ?`, [key, before]);
	}

	async #deleteChunks(table: string, columns: string, where: string, params: SqlValue[]): Promise<void> {
		const sql = `DELETE FROM ${table} WHERE (series, ${columns}) IN
			(SELECT series, ${columns} FROM ${table} WHERE ${where} LIMIT ${CHUNK})`;
		while ((await this.#database.run(sql, params)) === CHUNK);
	}
}

const SAMPLE = `sensor AS sensorId, readings.observed_at AS observedAt, readings.value AS value,
	readings.fresh_for AS freshFor, readings.clipped AS clipped`;
const onlyOf = ({ sensorId }: { sensorId?: string }) => (sensorId === undefined ? '' : ' AND sensor = ?');

const seriesOf = (of: RoomMetric & { sensorId?: string }): string[] =>
	of.sensorId === undefined ? roomOf(of) : [...roomOf(of), of.sensorId];

const sampleOf = ({ sensorId, observedAt, value, freshFor, clipped }: SampleRow): Sample => ({
	...{ sensorId, observedAt, value },
	...(freshFor !== null && { freshFor }),
	...(clipped !== null && { clipped: true }),
});

const roomOf = ({ buildingId, roomId, metric }: RoomMetric): string[] => [buildingId, roomId, metric];
