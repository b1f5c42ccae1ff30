import type { Room } from '../building/building.ts';
import type { ThresholdSet } from '../building/thresholds.ts';
import type { CombinedView } from '../reading/combine.ts';
import type { Freshness } from '../reading/freshness.ts';
import type { MetricDefinition } from '../reading/metrics.ts';
import type { Occupancy } from '../reading/occupancy.ts';
import type { Transport } from '../reading/reading.ts';

/** Bodies of the HTTP API, shared by services and frontend. Times are epoch ms. */

/** The latest value of a metric in a room. */
export interface LatestValue {
	value: number;
	/** A sensor sent a little more than there can be, and its value is the upper limit. */
	clipped?: true;
	/** For a count made of crossings: the true count is between these. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	sensorId: string;
	/** How people call that sensor, where its id does not say it. */
	sensorName?: string;
	/** Its freshness at the time of the answer. */
	freshness: Exclude<Freshness, 'no-data'>;
	/** Until when it is current if no other value arrives. */
	freshUntil: number;
	/** True if it describes the past rather than the present: unless `live` or `stuck`. */
	stale: boolean;
	/** How long the value of `sensorId` counts as current, in ms, by how often that sensor speaks. */
	freshFor?: number;
	/** Since when the sensor has reported this same value. */
	unchangedSince?: number;
	/** When the device last reported that it goes offline. */
	offlineAt?: number;
	/** The transport by which it arrived. */
	transport?: Transport;
	/** The latest values of the sensors, if several of the room measure this metric: `value` combines them. */
	sensors?: SensorValue[];
	/** Where the room says how its counters are combined. */
	combined?: CombinedView;
}

/** The latest value of one sensor. */
export interface SensorValue {
	sensorId: string;
	/** How people call it, where its id does not say it. */
	sensorName?: string;
	value: number;
	/** It sent a little more than there can be, and `value` is the upper limit. */
	clipped?: true;
	/** For a count made of crossings: the true count is between these. */
	low?: number;
	high?: number;
	observedAt: number;
	/** How long it counts as current, in ms; where it is left out: as long as the metric's values usually do. */
	freshFor?: number;
	/** Since when it has reported this same value. */
	unchangedSince?: number;
	/** When the device last reported that it goes offline. */
	offlineAt?: number;
	transport?: Transport;
}

export interface RoomState {
	/** Without the metrics that were never measured: no data is not 0. */
	values: Partial<Record<string, LatestValue>>;
	/** Absent while no count is current: an unknown count is not 0. */
	occupancy?: Occupancy;
}

/** `GET /twin/buildings/{id}/state`, as of `cursor`. */
export interface BuildingState {
	cursor: string;
	rooms: Record<string, RoomState>;
}

export interface BuildingSummary {
	id: string;
	name: string;
	domains: string[];
	/** IANA name; default UTC. */
	timeZone?: string;
	rooms: Room[];
}

/** `GET/PUT /twin/buildings/{id}/columns`: the metrics that the dashboard shows of a room, in order. */
export interface BuildingColumns {
	columns: string[];
}

/** `PATCH /twin/buildings/{id}/rooms/{roomId}`: the room in its new state; `thresholds` if it has its own. */
export type RoomSummary = Room & { thresholds?: ThresholdSet };

/** The conversations that an account can list, and the turns of each; older ones are removed. */
export const CONVERSATION_BOUNDS = { conversations: 20, turns: 50 };

/** How many alerts `GET /notification/alerts` returns. */
export const ALERT_LIST_LIMIT = { minimum: 1, maximum: 500, default: 100 };

/** How `GET /twin/buildings/{id}/history` summarizes the values of a bucket. */
export const AGGREGATES = ['avg', 'min', 'max', 'sum', 'last', 'count'] as const;
export type Aggregate = (typeof AGGREGATES)[number];
/** Defaults of the query of the history. */
export const HISTORY_DEFAULTS = { agg: 'avg', bucket: '1h' } as const;

export interface HistoryPoint {
	/** Start of the bucket. */
	at: number;
	/** Null if nothing is known. */
	value: number | null;
	/** Share of the bucket for which a value was known, from 0 to 1. */
	coverage: number;
	/** Share of the known time, from 0 to 1, in which a sum lacked counters that were silent; absent where it is 0. */
	incomplete?: number;
	/** Some value in it is an upper limit, of which a sensor sent a little more. */
	clipped?: true;
}

/** A metric as the catalog shows it. */
export type CatalogEntry = Pick<
	MetricDefinition,
	'unit' | 'min' | 'max' | 'decimals' | 'label' | 'combine' | 'kind'
> & {
	/** No gateway measures it any more; its history remains. */
	retired?: true;
};

export type MetricsResponse = {
	metrics: Record<string, CatalogEntry>;
};
