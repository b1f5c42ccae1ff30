import { type MetricKey, roomValue, type SensorValue } from '@crowdvision/contracts';
import type { SqliteDatabase, Statement } from '@crowdvision/store';
import { ALL_CLEAR, type Condition, type Rule } from './rules.ts';

/** What a sensor said, and where in the stream. */
export interface Observation extends SensorValue {
	metric: MetricKey;
	position: string;
}

/** What is remembered of one room while it is looked at: what its sensors said last, and where its rules stand. */
export class RoomMemory {
	readonly buildingId: string;
	readonly roomId: string;
	readonly #sensors = new Map<string, Observation>();
	readonly #conditions = new Map<Rule['kind'], Condition>();
	readonly #changedSensors = new Set<string>();
	readonly #changedConditions = new Set<Rule['kind']>();

	constructor(buildingId: string, roomId: string) {
		this.buildingId = buildingId;
		this.roomId = roomId;
	}

	/**
	 * Takes in what a sensor says; false when that or something newer is known already. Of the same moment what stands later in the stream
	 * is newer: `after(a, b)` compares positions.
	 */
	observe(observation: Observation, after: (a: string, b: string) => boolean): boolean {
		const key = keyOf(observation);
		const known = this.#sensors.get(key);
		if (known && known.observedAt > observation.observedAt) return false;
		if (known?.observedAt === observation.observedAt && !after(observation.position, known.position)) return false;
		this.#sensors.set(key, observation);
		this.#changedSensors.add(key);
		return true;
	}

	/** What the room's sensors together say of a metric. */
	value(metric: MetricKey, now: number) {
		const sensors = [...this.#sensors.values()].filter((one) => one.metric === metric);
		return roomValue(metric, sensors, now);
	}

	condition(kind: Rule['kind']): Condition {
		return this.#conditions.get(kind) ?? ALL_CLEAR;
	}

	setCondition(kind: Rule['kind'], condition: Condition): void {
		const before = this.#conditions.get(kind);
		if (before === condition) return;
		this.#conditions.set(kind, condition);
		this.#changedConditions.add(kind);
	}

	/** The rules with an open alert. */
	openKinds(): Rule['kind'][] {
		return [...this.#conditions].filter(([, { phase }]) => phase === 'open').map(([kind]) => kind);
	}

	recall(row: Observation | { kind: Rule['kind']; condition: Condition }): void {
		if ('kind' in row) this.#conditions.set(row.kind, row.condition);
		else this.#sensors.set(keyOf(row), row);
	}

	/** What must be written to keep what changed. */
	changes(): Statement[] {
		const place = [this.buildingId, this.roomId];
		const sensors = [...this.#changedSensors].map((key) => this.#sensors.get(key)!);
		const conditions = [...this.#changedConditions].map((kind) => ({ kind, ...this.condition(kind) }));
		return [
			{
				sql: 'INSERT OR REPLACE INTO observed (building, room, metric, sensor, value, observed_at, position) VALUES (?, ?, ?, ?, ?, ?, ?)',
				many: sensors.map(({ metric, sensorId, value, observedAt, position }) => [...place, metric, sensorId, value, observedAt, position]),
			},
			{
				sql: 'INSERT OR REPLACE INTO conditions (building, room, kind, phase, since, seen_at, alert_id) VALUES (?, ?, ?, ?, ?, ?, ?)',
				many: conditions.map(({ kind, phase, since, seenAt, alertId }) => [...place, kind, phase, since, seenAt, alertId]),
			},
		];
	}
}

type ObservedRow = { building: string; room: string; metric: MetricKey; sensor: string; value: number; observed_at: number; position: string };
type ConditionRow = {
	building: string;
	room: string;
	kind: Rule['kind'];
	phase: Condition['phase'];
	since: number | null;
	seen_at: number;
	alert_id: string | null;
};

/** Recalls rooms from the database. With `roomId` left out: every room of the building that anything is remembered of. */
export async function recallRooms(database: SqliteDatabase, places: { buildingId: string; roomId?: string }[]): Promise<Map<string, RoomMemory>> {
	const wanted = JSON.stringify(places.map(({ buildingId, roomId }) => [buildingId, roomId ?? null]));
	const from = (table: string) =>
		`SELECT t.* FROM json_each(?) AS wanted JOIN ${table} AS t
			ON t.building = wanted.value ->> 0 AND (wanted.value ->> 1 IS NULL OR t.room = wanted.value ->> 1)`;
	const [observed, conditions] = await database.transaction([
		{ sql: from('observed'), params: [wanted] },
		{ sql: from('conditions'), params: [wanted] },
	]);
	const rooms = new Map<string, RoomMemory>();
	for (const { buildingId, roomId } of places) if (roomId !== undefined) roomIn(rooms, buildingId, roomId);
	for (const row of observed!.rows as ObservedRow[]) {
		const { metric, sensor: sensorId, value, observed_at: observedAt, position } = row;
		roomIn(rooms, row.building, row.room).recall({ metric, sensorId, value, observedAt, position });
	}
	for (const row of conditions!.rows as ConditionRow[]) {
		const condition = { phase: row.phase, since: row.since, seenAt: row.seen_at, alertId: row.alert_id };
		roomIn(rooms, row.building, row.room).recall({ kind: row.kind, condition });
	}
	return rooms;
}

const keyOf = ({ metric, sensorId }: Observation) => `${metric} ${sensorId}`;

/** Neither id may contain a line break. */
export const roomKey = (buildingId: string, roomId: string) => `${buildingId}\n${roomId}`;

function roomIn(rooms: Map<string, RoomMemory>, buildingId: string, roomId: string): RoomMemory {
	const key = roomKey(buildingId, roomId);
	const room = rooms.get(key) ?? new RoomMemory(buildingId, roomId);
	rooms.set(key, room);
	return room;
}
