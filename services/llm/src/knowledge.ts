import type { MetricKey, Reading, SensorValue } from '@crowdvision/contracts';
import type { SqliteDatabase } from '@crowdvision/store';

export const MIGRATIONS = [
	`CREATE TABLE latest (
		building TEXT NOT NULL, room TEXT NOT NULL, metric TEXT NOT NULL, sensor TEXT NOT NULL,
		value REAL NOT NULL, observed_at INTEGER NOT NULL,
		PRIMARY KEY (building, room, metric, sensor)
	) WITHOUT ROWID;
	CREATE TABLE anomalies (
		id TEXT PRIMARY KEY, building TEXT NOT NULL, room TEXT, kind TEXT NOT NULL, state TEXT NOT NULL,
		value REAL, threshold REAL, observed_at INTEGER NOT NULL, message TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX anomalies_by_time ON anomalies (observed_at);`,
];

/** What one sensor of a room said last of one metric. */
export interface LatestOfRoom extends SensorValue {
	roomId: string;
	metric: MetricKey;
}

export interface Anomaly {
	id: string;
	building: string;
	room: string | null;
	kind: string;
	state: string;
	value: number | null;
	threshold: number | null;
	observed_at: number;
	message: string;
}

const MOST_ANOMALIES = 10_000;

/** What the service knows by itself of the rooms: the latest values and the anomaly log. */
export class Knowledge {
	readonly #database: SqliteDatabase;

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	/** Takes readings in; an older one never replaces a newer one, so repetitions change nothing. */
	async learn(readings: readonly Reading[]): Promise<void> {
		const newest = new Map<string, Reading>();
		for (const reading of readings) {
			const key = `${reading.buildingId}/${reading.roomId}/${reading.metric}/${reading.sensorId}`;
			const known = newest.get(key);
			if (!known || reading.observedAt >= known.observedAt) newest.set(key, reading);
		}
		await this.#database.transaction([
			{
				sql: `INSERT INTO latest (building, room, metric, sensor, value, observed_at) VALUES (?, ?, ?, ?, ?, ?)
					ON CONFLICT DO UPDATE SET value = excluded.value, observed_at = excluded.observed_at WHERE excluded.observed_at >= observed_at`,
				many: [...newest.values()].map(({ buildingId, roomId, metric, sensorId, value, observedAt }) => [
					buildingId,
					roomId,
					metric,
					sensorId,
					value,
					Math.round(observedAt),
				]),
			},
		]);
	}

	/** Keeps an alert's present state; the oldest beyond ten thousand are forgotten. */
	async record(anomaly: Anomaly): Promise<void> {
		const { id, building, room, kind, state, value, threshold, observed_at, message } = anomaly;
		await this.#database.transaction([
			{
				sql: `INSERT INTO anomalies (id, building, room, kind, state, value, threshold, observed_at, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
					ON CONFLICT DO UPDATE SET state = excluded.state, value = excluded.value, message = excluded.message`,
				params: [id, building, room, kind, state, value, threshold, observed_at, message],
			},
			{
				sql: `DELETE FROM anomalies WHERE id IN (SELECT id FROM anomalies ORDER BY observed_at DESC LIMIT -1 OFFSET ${MOST_ANOMALIES})`,
			},
		]);
	}

	async latest(buildingId: string): Promise<LatestOfRoom[]> {
		return this.#database.all<LatestOfRoom>(
			'SELECT room AS roomId, metric, sensor AS sensorId, value, observed_at AS observedAt FROM latest WHERE building = ? LIMIT 100000',
			[buildingId],
		);
	}

	/** Newest first. */
	async anomalies(buildingIds: readonly string[], limit: number): Promise<Anomaly[]> {
		if (buildingIds.length === 0) return [];
		const marks = buildingIds.map(() => '?').join(', ');
		return this.#database.all<Anomaly>(`SELECT * FROM anomalies WHERE building IN (${marks}) ORDER BY observed_at DESC LIMIT ${limit}`, [
			...buildingIds,
		]);
	}
}
