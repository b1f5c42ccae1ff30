import { type Intake, longHoldOf, momentOf, placeOf } from '../intake.ts';
import type { SqlValue, Statement } from './protocol.ts';

const THIS_SERIES = 'building = ? AND room = ? AND metric = ? AND sensor = ?';

/** The statements of one transaction that stores a batch and the stream's progress. */
export function insertStatements(
	{ series, fresh, latest, stale }: Intake,
	progress: { stream: string; position: string },
): Statement[] {
	const many = (sql: string, values: SqlValue[][]): Statement[] => (values.length > 0 ? [{ sql, many: values }] : []);
	return [
		{ sql: 'UPDATE commits SET n = n + 1' },
		...many('INSERT OR IGNORE INTO series (building, room, metric, sensor) VALUES (?, ?, ?, ?)', series),
		...many(
			`INSERT OR IGNORE INTO readings (series, observed_at, id, value, fresh_for, clipped)
				SELECT key, ?, ?, ?, ?, ? FROM series WHERE ${THIS_SERIES}`,
			fresh.map((placed) => {
				const { id, value, clipped } = placed.reading;
				const held = longHoldOf(placed.reading) ?? null;
				return [momentOf(placed), id, value, held, clipped ? 1 : null, ...placeOf(placed)];
			}),
		),
		...many(
			`UPDATE series SET value = ?, low = ?, high = ?, fresh_for = ?, sensor_name = ?, clipped = ?,
				observed_at = ?, transport = ?, position = ?, unchanged_since = ? WHERE ${THIS_SERIES}`,
			latest.map(({ place, value }) => [
				value.value,
				value.low ?? null,
				value.high ?? null,
				value.freshFor ?? null,
				value.sensorName ?? null,
				value.clipped ? 1 : null,
				...[value.observedAt, value.transport, value.position, value.unchangedSince],
				...place,
			]),
		),
		...many(
			`INSERT INTO stale (series, start, queued, token) SELECT key, ?, n, n FROM series, commits WHERE ${THIS_SERIES}
				ON CONFLICT (series, start) DO UPDATE SET token = excluded.token`,
			stale.map(({ room, start }) => [start, ...room]),
		),
		{
			sql: `INSERT INTO progress (stream, position) VALUES (?, ?)
				ON CONFLICT (stream) DO UPDATE SET position = excluded.position`,
			params: [progress.stream, progress.position],
		},
	];
}
