import {
	AGGREGATES,
	type Aggregate,
	HISTORY_DEFAULTS,
	type MetricLookup,
	type RoomCombine,
} from '@crowdvision/contracts';
import { invalid, timeOfQuery } from '@crowdvision/service-kit';
import { storedRoomId } from '../buildings/building-document.ts';
import type { BuildingDocument } from '../store.ts';
import { type Bucket, bucketsOf, parseBucketLength } from './buckets.ts';
import type { ExportQuery } from './export.ts';

export interface HistoryQuery {
	buildingId: string;
	/** Rooms of the building, by the ids they are stored under: one, or all of them where the query names none. */
	roomIds: string[];
	metric: string;
	sensorId?: string;
	/** Epoch ms; `to` is not included. */
	from: number;
	to: number;
	/** The buckets that overlap the range. */
	buckets: Bucket[];
	aggregate: Aggregate;
	/** How the rooms that say so combine their sensors, by the ids they are stored under. */
	combine?: Readonly<Record<string, RoomCombine>>;
}

const MAX_POINTS = 5000;
const DAY_MS = 24 * 3600_000;
const LONGEST_RANGE_MS = 10 * 366 * DAY_MS;

/**
 * Parses the query of a request. The default is the last 24 hours as hourly averages of the whole building.
 * @param now epoch ms
 * @throws CrowdVisionError `invalid` with the parameter as path
 */
export function parseHistoryQuery(
	building: Pick<BuildingDocument, 'id' | 'rooms' | 'timeZone' | 'generation' | 'roomGenerations'>,
	query: Record<string, unknown>,
	now: number,
	catalog: MetricLookup,
): HistoryQuery {
	const text = textOf(query);
	const { roomIds, metric } = subjectOf(building, text, catalog);
	const aggregate = AGGREGATES.find((name) => name === (text('agg') ?? HISTORY_DEFAULTS.agg));
	if (!aggregate) throw refused('agg', `must be one of ${AGGREGATES.join(', ')}`);
	const { from, to } = rangeOf(text, now);
	const length = parseBucketLength(text('bucket') ?? HISTORY_DEFAULTS.bucket);
	if (!length)
		throw refused(
			'bucket',
			'must be 1 s to 24 h, or a number of days, weeks or months: 1m, 15m, 1h, 1d, 1w, 1mo, or a number of ms',
		);
	const buckets = bucketsOf(length, building.timeZone ?? 'UTC', from, to, MAX_POINTS);
	if (!buckets)
		throw refused('bucket', `gives more than ${MAX_POINTS} points: ask for longer buckets or a shorter range`);
	const sensorId = text('sensor');
	return {
		buildingId: building.id,
		roomIds: roomIds.map((id) => storedRoomId(building, id)),
		metric,
		...(sensorId !== undefined && { sensorId }),
		from,
		to,
		buckets,
		aggregate,
		...combineOf(building),
	};
}

function combineOf(building: Pick<BuildingDocument, 'id' | 'rooms' | 'generation' | 'roomGenerations'>) {
	const own = building.rooms.flatMap(({ id, combine }) => (combine ? [[storedRoomId(building, id), combine]] : []));
	return own.length > 0 ? { combine: Object.fromEntries(own) as HistoryQuery['combine'] & object } : {};
}

/**
 * Parses the query of an export. The default is the last 24 hours of the whole building.
 * @param now epoch ms
 * @throws CrowdVisionError `invalid` with the parameter as path
 */
export function parseExportQuery(
	building: Pick<BuildingDocument, 'rooms'>,
	query: Record<string, unknown>,
	now: number,
	catalog: MetricLookup,
): ExportQuery {
	const text = textOf(query);
	return { ...subjectOf(building, text, catalog), ...rangeOf(text, now) };
}

type Text = (name: string) => string | undefined;

/** Reads the parameters of a query. */
function textOf(query: Record<string, unknown>): Text {
	return (name) => {
		const value = query[name];
		if (value === undefined || typeof value === 'string') return value || undefined;
		throw refused(name, 'must be given once');
	};
}

/** The rooms that are asked for, as the building names them, and the metric. */
function subjectOf(building: Pick<BuildingDocument, 'rooms'>, text: Text, catalog: MetricLookup) {
	const room = text('room');
	if (room !== undefined && !building.rooms.some(({ id }) => id === room))
		throw refused('room', 'is not a room of this building');
	const metric = text('metric') ?? '';
	if (!catalog.definition(metric)) throw refused('metric', `must be one of ${catalog.allKeys().join(', ')}`);
	return { roomIds: room === undefined ? building.rooms.map(({ id }) => id) : [room], metric };
}

/** The time that is asked for; default: the last 24 hours. */
function rangeOf(text: Text, now: number): { from: number; to: number } {
	const to = timeOfQuery(text('to'), '/to') ?? now;
	const from = timeOfQuery(text('from'), '/from') ?? Math.max(0, to - DAY_MS);
	if (from >= to) throw refused('from', 'must be before to');
	if (to - from > LONGEST_RANGE_MS) throw refused('from', 'must be at most ten years before to');
	return { from, to };
}

/** The refusal of one parameter of the query. */
export const refused = (name: string, message: string) => invalid([{ path: `/${name}`, message }]);
