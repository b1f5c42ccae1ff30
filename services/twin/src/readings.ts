import type { MetricKey, Reading, SensorValue, Transport } from '@crowdvision/contracts';
import type { SqliteDatabase, Statement } from '@crowdvision/store';

/** A reading at its place in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

/** What one sensor of a room said last of a metric. */
export interface Latest extends SensorValue {
	roomId: string;
	metric: MetricKey;
}

interface Known {
	building: string;
	room: string;
	metric: string;
	sensor: string;
	observed_at: number;
	position: string;
}

const THIS_SERIES = 'building = ? AND room = ? AND metric = ? AND sensor = ?';

/** Readings as history, and the newest of each sensor. */
export class Readings {
	readonly #database: SqliteDatabase;

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	/**
	 * Stores readings and how far the stream is taken in, all in one transaction. A reading that is stored already, by id, changes nothing.
	 * `after(a, b)`: whether position `a` lies behind `b`; it decides between readings of the same moment.
	 */
	async store(stream: string, batch: readonly PlacedReading[], progress: string, after: (a: string, b: string) => boolean): Promise<void> {
		const series = seriesIn(batch);
		const newest = newestOf(batch, await this.#known(series), after);
		const statements: Statement[] = [
			{ sql: 'INSERT OR IGNORE INTO series (building, room, metric, sensor) VALUES (?, ?, ?, ?)', many: series },
			{
				sql: `INSERT OR IGNORE INTO readings (series, observed_at, id, value) SELECT key, ?, ?, ? FROM series WHERE ${THIS_SERIES}`,
				many: batch.map(({ reading }) => [Math.round(reading.observedAt), reading.id, reading.value, ...placeOf(reading)]),
			},
			{
				sql: `UPDATE series SET value = ?, observed_at = ?, transport = ?, position = ? WHERE ${THIS_SERIES}`,
				many: newest.map(({ reading, position }) => [
					reading.value,
					Math.round(reading.observedAt),
					reading.transport,
					position,
					...placeOf(reading),
				]),
			},
			{
				sql: 'INSERT INTO progress (stream, position) VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET position = excluded.position',
				params: [stream, progress],
			},
		];
		await this.#database.transaction(statements);
	}

	/** How far the stream was taken in; undefined before anything was. */
	async progress(stream: string): Promise<string | undefined> {
		return (await this.#database.get<{ position: string }>('SELECT position FROM progress WHERE stream = ?', [stream]))?.position;
	}

	/** The newest of each sensor of a building, and the position of `stream` at which that is true. */
	async latest(stream: string, buildingId: string): Promise<{ position: string | undefined; latest: Latest[] }> {
		const [progress, series] = await this.#database.transaction([
			{ sql: 'SELECT position FROM progress WHERE stream = ?', params: [stream] },
			{
				sql: 'SELECT room, metric, sensor, value, observed_at, transport FROM series WHERE building = ? AND observed_at IS NOT NULL ORDER BY key',
				params: [buildingId],
			},
		]);
		type Row = { room: string; metric: MetricKey; sensor: string; value: number; observed_at: number; transport: Transport };
		return {
			position: (progress!.rows as { position: string }[])[0]?.position,
			latest: (series!.rows as Row[]).map((row) => ({
				roomId: row.room,
				metric: row.metric,
				sensorId: row.sensor,
				value: row.value,
				observedAt: row.observed_at,
				transport: row.transport,
			})),
		};
	}

	async #known(series: string[][]): Promise<Map<string, { observedAt: number; position: string }>> {
		const rows = await this.#database.all<Known>(
			`SELECT building, room, metric, sensor, observed_at, position FROM json_each(?) AS wanted JOIN series
				ON building = wanted.value ->> 0 AND room = wanted.value ->> 1 AND metric = wanted.value ->> 2 AND sensor = wanted.value ->> 3
				WHERE observed_at IS NOT NULL`,
			[JSON.stringify(series)],
		);
		return new Map(
			rows.map((row) => [keyOf([row.building, row.room, row.metric, row.sensor]), { observedAt: row.observed_at, position: row.position }]),
		);
	}
}

const placeOf = (reading: Reading): string[] => [reading.buildingId, reading.roomId, reading.metric, reading.sensorId];
/** None of the four may contain it. */
const keyOf = (place: string[]): string => place.join('\n');

function seriesIn(batch: readonly PlacedReading[]): string[][] {
	const series = new Map<string, string[]>();
	for (const { reading } of batch) {
		const place = placeOf(reading);
		series.set(keyOf(place), place);
	}
	return [...series.values()];
}

/** Per series the newest of the batch, by the time it was observed and then by its place in the stream, where it is newer than what is known. */
function newestOf(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, { observedAt: number; position: string }>,
	after: (a: string, b: string) => boolean,
): PlacedReading[] {
	const newest = new Map<string, PlacedReading>();
	for (const placed of batch) {
		const key = keyOf(placeOf(placed.reading));
		const { position } = placed;
		const observedAt = Math.round(placed.reading.observedAt);
		const best = newest.get(key);
		const than = best ? { observedAt: Math.round(best.reading.observedAt), position: best.position } : known.get(key);
		if (!than || observedAt > than.observedAt || (observedAt === than.observedAt && after(position, than.position))) newest.set(key, placed);
	}
	return [...newest.values()];
}
