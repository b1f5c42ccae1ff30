import { type InsertOptions, type PlacedReading, ROLL_UP_MS } from '../store.ts';
import type { SqlValue, Statement } from './sqlite-protocol.ts';

/** Where a series was before a batch. */
export interface KnownSeries {
	observedAt: number;
	position: string;
	value: number;
	unchangedSince: number;
	transport: string;
	/** Of a count made of crossings. */
	low?: number | null;
	high?: number | null;
}

/** Everything that a batch changes, found in memory. */
export interface Intake {
	/** Building, room, metric and sensor of the series that there have to be, those of the rooms included. */
	series: string[][];
	/** Not stored yet. */
	fresh: PlacedReading[];
	/** What each series says last, where the batch changes it. */
	latest: { place: string[]; says: KnownSeries }[];
	/** Periods that the fresh ones make stale. */
	stale: { room: string[]; start: number }[];
}

export const placeOf = ({ reading }: PlacedReading): string[] => [
	reading.buildingId,
	reading.roomId,
	reading.metric,
	reading.sensorId,
];
/** None of the four may contain it. */
export const keyOf = (place: readonly string[]): string => place.join('\n');
export const momentOf = ({ reading }: PlacedReading): number => Math.round(reading.observedAt);
export const periodOf = (at: number): number => Math.floor(at / ROLL_UP_MS) * ROLL_UP_MS;

/**
 * What a batch changes. `stored`: which of the batch, by index, are stored already. Of what was observed before
 * `forgotten`, only that it is the latest counts.
 */
export function intakeOf(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
	stored: ReadonlySet<number>,
	forgotten: number,
	{ holdMs, after }: InsertOptions,
): Intake {
	const series = new Map<string, string[]>();
	const ids = new Set<string>();
	const fresh: PlacedReading[] = [];
	const stale = new Map<string, { room: string[]; start: number }>();
	for (const [index, placed] of batch.entries()) {
		const place = placeOf(placed);
		const room = [...place.slice(0, 3), ''];
		const at = momentOf(placed);
		if (!known.has(keyOf(place))) for (const one of [place, room]) series.set(keyOf(one), one);
		const id = keyOf([...place, String(at), placed.reading.id]);
		if (stored.has(index) || ids.has(id) || at < forgotten) continue;
		ids.add(id);
		fresh.push(placed);
		// A value holds up to, but not at, the end of its time.
		for (let start = periodOf(at); start === periodOf(at) || start < at + holdMs; start += ROLL_UP_MS) {
			stale.set(keyOf([...room, String(start)]), { room, start });
		}
	}
	return { series: [...series.values()], fresh, latest: latestOf(batch, known, after), stale: [...stale.values()] };
}

/**
 * Per series the newest of the batch, by the time it was observed and then by its place in the stream, where it is
 * newer than what is known.
 */
function latestOf(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
	after: InsertOptions['after'],
): Intake['latest'] {
	const changed: Intake['latest'] = [];
	for (const [key, ofSeries] of Map.groupBy(batch, (placed) => keyOf(placeOf(placed)))) {
		const before = known.get(key);
		let says = before;
		for (const placed of inOrder(ofSeries, after)) {
			const at = momentOf(placed);
			const { value, transport, interval } = placed.reading;
			if (!says || at > says.observedAt || (at === says.observedAt && after(placed.position, says.position))) {
				const unchangedSince = says?.value === value ? says.unchangedSince : at;
				says = { observedAt: at, position: placed.position, value, ...interval, transport, unchangedSince };
			} else if (value !== says.value && at > says.unchangedSince) {
				// It came late, and the value was another in between. Since when it is this one again, is not looked up.
				says = { ...says, unchangedSince: says.observedAt };
			}
		}
		if (says && says !== before) changed.push({ place: placeOf(ofSeries[0]!), says });
	}
	return changed;
}

function inOrder(batch: readonly PlacedReading[], after: InsertOptions['after']): PlacedReading[] {
	const byPosition = (a: string, b: string) => (a === b ? 0 : after(a, b) ? 1 : -1);
	return [...batch].sort((a, b) => momentOf(a) - momentOf(b) || byPosition(a.position, b.position));
}

const THIS_SERIES = 'building = ? AND room = ? AND metric = ? AND sensor = ?';

/** The statements of one transaction that store it. */
export function statementsOf(
	{ series, fresh, latest, stale }: Intake,
	progress: { stream: string; position: string },
): Statement[] {
	const many = (sql: string, values: SqlValue[][]): Statement[] => (values.length > 0 ? [{ sql, many: values }] : []);
	return [
		{ sql: 'UPDATE commits SET n = n + 1' },
		...many('INSERT OR IGNORE INTO series (building, room, metric, sensor) VALUES (?, ?, ?, ?)', series),
		...many(
			`INSERT OR IGNORE INTO readings (series, observed_at, id, value) SELECT key, ?, ?, ? FROM series WHERE ${THIS_SERIES}`,
			fresh.map((placed) => [momentOf(placed), placed.reading.id, placed.reading.value, ...placeOf(placed)]),
		),
		...many(
			`UPDATE series SET value = ?, low = ?, high = ?, observed_at = ?, transport = ?, position = ?, unchanged_since = ? WHERE ${THIS_SERIES}`,
			latest.map(({ place, says }) => [
				says.value,
				says.low ?? null,
				says.high ?? null,
				...[says.observedAt, says.transport, says.position, says.unchangedSince],
				...place,
			]),
		),
		...many(
			`INSERT INTO stale (series, start, queued, token) SELECT key, ?, n, n FROM series, commits WHERE ${THIS_SERIES}
				ON CONFLICT (series, start) DO UPDATE SET token = excluded.token`,
			stale.map(({ room, start }) => [start, ...room]),
		),
		{
			sql: 'INSERT INTO progress (stream, position) VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET position = excluded.position',
			params: [progress.stream, progress.position],
		},
	];
}
