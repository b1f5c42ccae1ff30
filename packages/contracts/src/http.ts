import type { Room } from './building.ts';
import type { MetricDefinition, MetricKey } from './metrics.ts';
import type { Occupancy } from './occupancy.ts';
import type { Transport } from './reading.ts';

/** Bodies of the HTTP API, for those on both sides of it. Times are epoch ms. */

export interface LoginResponse {
	token: string;
	/** Seconds. */
	expiresIn: number;
}

/** One metric of one room, as it stood when last heard of. */
export interface LatestValue {
	value: number;
	unit: string;
	observedAt: number;
	sensorId: string;
	/** True when nothing was heard for longer than the metric's freshness deadline; such a value is not current. */
	stale: boolean;
	/** The way this value came in. */
	transport?: Transport;
	/** What each sensor said last, where several of the room measure this metric: `value` is their combination. */
	sensors?: SensorValue[];
}

/** The last word of one sensor of several. */
export interface SensorValue {
	sensorId: string;
	value: number;
	observedAt: number;
	transport?: Transport;
}

export interface RoomState {
	values: Partial<Record<MetricKey, LatestValue>>;
	/** Absent while no count is known: unknown is not 0. */
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
	rooms: Room[];
}

export interface HistoryPoint {
	/** Start of the bucket. */
	at: number;
	value: number | null;
	/** Share of the bucket for which a value is known, 0..1. */
	coverage: number;
}

export type MetricsResponse = { metrics: Record<string, Pick<MetricDefinition, 'unit' | 'min' | 'max' | 'decimals' | 'label'>> };

/** A value older than this is stale: it is greyed out, and no alert opens or closes on it. */
export const FRESHNESS_MS = 5 * 60_000;
