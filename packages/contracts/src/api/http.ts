import type { Room } from '../building/building.ts';
import type { ThresholdSet } from '../building/thresholds.ts';
import type { Freshness } from '../reading/freshness.ts';
import type { MetricDefinition, MetricKey } from '../reading/metrics.ts';
import type { Occupancy } from '../reading/occupancy.ts';
import type { Transport } from '../reading/reading.ts';

/** Bodies of the HTTP API, for those on both sides of it. Times are epoch ms. */

/** One metric of one room, as it stood when last heard of. */
export interface LatestValue {
	value: number;
	/** Between which the truth lies, where it is a count made of crossings. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	sensorId: string;
	/** What the value is worth at the time of the answer. */
	freshness: Exclude<Freshness, 'no-data'>;
	/** From when on it is no longer current if nothing more is heard. */
	freshUntil: number;
	/** Whether it tells how things were and not how they are: true for anything but `live` and `stuck`. */
	stale: boolean;
	/** Since when the sensor has said this same value. */
	unchangedSince?: number;
	/** When the device said that it is gone, if it did since it was first heard. */
	offlineAt?: number;
	/** The way this value came in. */
	transport?: Transport;
	/** What each sensor said last, where several of the room measure this metric: `value` is their combination. */
	sensors?: SensorValue[];
}

/** The last word of one sensor of several. */
export interface SensorValue {
	sensorId: string;
	value: number;
	/** Between which the truth lies, where it is a count made of crossings. */
	low?: number;
	high?: number;
	observedAt: number;
	/** Since when it has said this same value. */
	unchangedSince?: number;
	/** When the device last said that it is gone, if it did. */
	offlineAt?: number;
	transport?: Transport;
}

export interface RoomState {
	/** A metric that nobody measured is not in here: no data is not 0. */
	values: Partial<Record<MetricKey, LatestValue>>;
	/** Absent while no count is current: unknown is not 0. */
	occupancy?: Occupancy;
}

/** `GET /twin/buildings/{id}/state`: true at `cursor`. */
export interface BuildingState {
	cursor: string;
	rooms: Record<string, RoomState>;
}

export interface BuildingSummary {
	id: string;
	name: string;
	domains: string[];
	/** IANA name; UTC where it is left out. */
	timeZone?: string;
	rooms: Room[];
}

/** `GET/PUT /twin/buildings/{id}/columns`: what the dashboard shows of a room, in this order. */
export interface BuildingColumns {
	columns: MetricKey[];
}

/** `PATCH /twin/buildings/{id}/rooms/{roomId}`: the room as it is now; `thresholds` where it has its own. */
export type RoomSummary = Room & { thresholds?: ThresholdSet };

/** The conversations that an account can list, and the turns of each; older ones are removed. */
export const CONVERSATION_BOUNDS = { conversations: 20, turns: 50 };

/** How many alerts `GET /notification/alerts` returns. */
export const ALERT_LIST_LIMIT = { minimum: 1, maximum: 500, default: 100 };

/** How `GET /twin/buildings/{id}/history` summarizes the values of a bucket. */
export const AGGREGATES = ['avg', 'min', 'max', 'sum', 'last', 'count'] as const;
export type Aggregate = (typeof AGGREGATES)[number];
/** The query of the history where it leaves these out. */
export const HISTORY_DEFAULTS = { agg: 'avg', bucket: '1h' } as const;

export interface HistoryPoint {
	/** Start of the bucket. */
	at: number;
	/** Null where nothing is known. */
	value: number | null;
	/** Share of the bucket for which a value was known, 0..1. */
	coverage: number;
}

export type MetricsResponse = {
	metrics: Record<string, Pick<MetricDefinition, 'unit' | 'min' | 'max' | 'decimals' | 'label'>>;
};
