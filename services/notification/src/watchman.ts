import { randomUUID } from 'node:crypto';
import type { Alert, MetricKey, Reading, RetainedBuilding } from '@crowdvision/contracts';
import type { BuildingDirectory } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';
import { alertOf, keepAlert } from './alerts.ts';
import { type RoomMemory, recallRooms, roomKey } from './rooms.ts';
import { decide, type Rule, rulesOf, WATCHED_METRICS } from './rules.ts';

/** A reading at its place in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

/** Whether a rule looks at this metric. */
export const isWatched = (metric: string): metric is MetricKey => WATCHED_METRICS.some((one) => one === metric);

/**
 * Applies the rules. What it decides and what it decided it from, with its place in the stream, are one transaction; so a reading that is
 * delivered again is known, and neither that nor a crash can open or clear anything twice.
 *
 *   reading ─▶ room memory (newest of each sensor) ─▶ room value ─▶ rules ─┬─▶ conditions
 *   building changed ─────────────────────────────────────────────▶ rules ─┴─▶ alerts, outbox
 */
export class Watchman {
	readonly #database: SqliteDatabase;
	readonly #directory: BuildingDirectory;
	readonly #dwellMs: number;
	readonly #after: (a: string, b: string) => boolean;

	/** `after(a, b)`: whether position `a` of the stream lies behind `b`. */
	constructor(database: SqliteDatabase, directory: BuildingDirectory, dwellMs: number, after: (a: string, b: string) => boolean) {
		this.#database = database;
		this.#directory = directory;
		this.#dwellMs = dwellMs;
		this.#after = after;
	}

	/** Takes readings in, in this order. Resolves with the alerts that changed, when all of it is kept. */
	async observe(readings: readonly PlacedReading[], now: number): Promise<Alert[]> {
		const rooms = await recallRooms(this.#database, placesOf(readings));
		const alerts: Alert[] = [];
		for (const { reading, position } of readings) {
			if (!isWatched(reading.metric)) continue;
			const room = rooms.get(roomKey(reading.buildingId, reading.roomId))!;
			const { metric, sensorId, value, observedAt } = reading;
			if (room.observe({ metric, sensorId, value, observedAt, position }, this.#after)) alerts.push(...this.#apply(room, now, metric));
		}
		await this.#keep(rooms.values(), alerts);
		return alerts;
	}

	/** Looks at a building anew, whose rooms or limits changed. Resolves with the alerts that changed. */
	async review(buildingId: string, now: number): Promise<Alert[]> {
		const building = this.#directory.get(buildingId);
		if (!building) return [];
		const rooms = await recallRooms(this.#database, [{ buildingId }]);
		const alerts: Alert[] = [];
		for (const room of rooms.values()) alerts.push(...this.#apply(room, now), ...endUnruled(room, building, this.#rules(room), now));
		if (alerts.length > 0) await this.#keep(rooms.values(), alerts);
		return alerts;
	}

	#rules({ buildingId, roomId }: RoomMemory): Rule[] {
		const room = this.#directory.get(buildingId)?.rooms.find(({ id }) => id === roomId);
		return room ? rulesOf(room, this.#dwellMs) : [];
	}

	/** A room of a building that nobody has told of yet has no rules: it is looked at when somebody does. */
	#apply(room: RoomMemory, now: number, metric?: MetricKey): Alert[] {
		const building = this.#directory.get(room.buildingId);
		const retained = building?.rooms.find(({ id }) => id === room.roomId);
		if (!building || !retained) return [];
		const alerts: Alert[] = [];
		for (const rule of this.#rules(room)) {
			if (metric !== undefined && rule.metric !== metric) continue;
			const value = room.value(rule.metric, now);
			if (!value) continue;
			const before = room.condition(rule.kind);
			const { condition, event } = decide(before, value, rule);
			const alertId = event === 'open' ? randomUUID() : condition.alertId;
			room.setCondition(rule.kind, event === 'open' ? { ...condition, alertId } : condition);
			if (event) alerts.push(alertOf(alertId ?? before.alertId!, event === 'open' ? 'open' : 'resolved', building, retained, rule, value));
		}
		return alerts;
	}

	async #keep(rooms: Iterable<RoomMemory>, alerts: Alert[]): Promise<void> {
		await this.#database.transaction([...[...rooms].flatMap((room) => room.changes()), ...alerts.flatMap(keepAlert)]);
	}
}

function placesOf(readings: readonly PlacedReading[]): { buildingId: string; roomId: string }[] {
	const places = new Map(readings.map(({ reading: { buildingId, roomId } }) => [roomKey(buildingId, roomId), { buildingId, roomId }]));
	return [...places.values()];
}

/** Ends the alerts of a room whose limit, or which itself, is no more. */
function endUnruled(room: RoomMemory, building: RetainedBuilding, rules: Rule[], now: number): Alert[] {
	const named = building.rooms.find(({ id }) => id === room.roomId) ?? { id: room.roomId, name: room.roomId };
	return room
		.openKinds()
		.filter((kind) => !rules.some((rule) => rule.kind === kind))
		.map((kind) => {
			const condition = room.condition(kind);
			room.setCondition(kind, { phase: 'clear', since: null, seenAt: condition.seenAt, alertId: null });
			const metric = kind === 'occupancy' ? 'peopleCount' : 'temperature';
			const value = room.value(metric, now)?.value;
			return alertOf(
				condition.alertId!,
				'resolved',
				building,
				named,
				{ kind, severity: 'info' },
				{ ...(value !== undefined && { value }), observedAt: now },
			);
		});
}
