import { FRESHNESS_MS, type HistoryPoint, METRIC_KEYS, type MetricKey } from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';

export const AGGREGATES = ['avg', 'count', 'min', 'max', 'sum', 'last'] as const;
export type Aggregate = (typeof AGGREGATES)[number];

export interface HistoryQuery {
	buildingId: string;
	roomId: string;
	metric: MetricKey;
	sensorId?: string;
	/** Epoch ms; `to` is not included. */
	from: number;
	to: number;
	bucketMs: number;
	aggregate: Aggregate;
}

export const MOST_POINTS = 5000;
const LONGEST_RANGE_MS = 400 * 24 * 3600_000;
const SHORTEST_BUCKET_MS = 1000;
const UNITS: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

/**
 * Reads the query of a request; by default the last 24 hours as hourly averages.
 * @throws CrowdVisionError `invalid` with the parameter as path.
 */
export function parseHistoryQuery(buildingId: string, query: Record<string, unknown>, now: number): HistoryQuery {
	const text = (name: string): string | undefined => {
		const value = query[name];
		if (value === undefined || typeof value === 'string') return value || undefined;
		throw refused(name, 'must be given once');
	};
	const roomId = text('room');
	if (!roomId) throw refused('room', 'is required');
	const metric = METRIC_KEYS.find((key) => key === text('metric'));
	if (!metric) throw refused('metric', `must be one of ${METRIC_KEYS.join(', ')}`);
	const aggregate = AGGREGATES.find((one) => one === (text('agg') ?? 'avg'));
	if (!aggregate) throw refused('agg', `must be one of ${AGGREGATES.join(', ')}`);
	const to = parseTime('to', text('to')) ?? now;
	const from = parseTime('from', text('from')) ?? to - 24 * 3600_000;
	if (from >= to) throw refused('from', 'must be before to');
	if (to - from > LONGEST_RANGE_MS) throw refused('from', 'must be at most 400 days before to');
	const bucketMs = parseBucket(text('bucket') ?? '1h');
	const points = Math.ceil(to / bucketMs) - Math.floor(from / bucketMs);
	if (points > MOST_POINTS) throw refused('bucket', `gives ${points} points; ask for at most ${MOST_POINTS}, with longer buckets or a shorter range`);
	const sensorId = text('sensor');
	return { buildingId, roomId, metric, ...(sensorId && { sensorId }), from, to, bucketMs, aggregate };
}

function parseTime(name: string, value: string | undefined): number | undefined {
	if (value === undefined) return undefined;
	const time = /^\d{1,15}$/.test(value) ? Number(value) : Date.parse(value);
	if (!Number.isFinite(time) || time < 0) throw refused(name, 'must be epoch ms or ISO 8601');
	return time;
}

function parseBucket(value: string): number {
	const [, digits, unit] = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(value) ?? [];
	const bucketMs = Number(digits) * (UNITS[unit ?? ''] ?? Number.NaN);
	if (!(bucketMs >= SHORTEST_BUCKET_MS && bucketMs <= LONGEST_RANGE_MS)) {
		throw refused('bucket', 'must be a length of 1 s to 400 days, in ms or as in 1m, 1h, 1d');
	}
	return bucketMs;
}

const refused = (name: string, message: string) => invalid([{ path: `/${name}`, message }]);

interface Row {
	bucket: number;
	value: number;
	parts: number;
}

/** Per part of a bucket, then per bucket; a bare column beside one max() is of the row that has it. */
const SQL: Record<Aggregate, { part: string; bucket: string }> = {
	count: { part: 'count(*) AS x', bucket: 'sum(x)' },
	avg: { part: 'sum(value) AS x, count(*) AS n', bucket: 'sum(x) / sum(n)' },
	sum: { part: 'sum(value) AS x', bucket: 'sum(x)' },
	min: { part: 'min(value) AS x', bucket: 'min(x)' },
	max: { part: 'max(value) AS x', bucket: 'max(x)' },
	last: { part: 'value AS x, max(observed_at) AS y', bucket: 'max(y), x' },
};

/**
 * One point per bucket of the range, buckets aligned to 1970 UTC. Where nothing was heard the value is null (and a count 0): unknown is
 * not 0. Coverage: the share of the bucket's parts, each as long as a value stays fresh at most, in which something was heard.
 */
export async function history(database: SqliteDatabase, query: HistoryQuery): Promise<HistoryPoint[]> {
	const { bucketMs, aggregate } = query;
	const parts = Math.ceil(bucketMs / FRESHNESS_MS);
	const { part, bucket } = SQL[aggregate];
	const rows = await database.all<Row>(
		`SELECT bucket, count(*) AS parts, ${bucket} AS value FROM (
			SELECT observed_at / ?1 AS bucket, observed_at % ?1 * ?2 / ?1 AS part, ${part} FROM readings
			WHERE series IN (SELECT key FROM series WHERE building = ?3 AND room = ?4 AND metric = ?5 AND (?6 IS NULL OR sensor = ?6))
				AND observed_at >= ?7 AND observed_at < ?8
			GROUP BY 1, 2
		) GROUP BY bucket`,
		// A number would be bound as a float, and its division leave a fraction.
		[
			BigInt(bucketMs),
			BigInt(parts),
			query.buildingId,
			query.roomId,
			query.metric,
			query.sensorId ?? null,
			Math.ceil(query.from),
			Math.ceil(query.to),
		],
	);
	const known = new Map(rows.map((row) => [row.bucket, row]));
	const points: HistoryPoint[] = [];
	for (let n = Math.floor(query.from / bucketMs); n * bucketMs < query.to; n++) {
		const row = known.get(n);
		points.push({ at: n * bucketMs, value: row?.value ?? (aggregate === 'count' ? 0 : null), coverage: (row?.parts ?? 0) / parts });
	}
	return points;
}
