import { randomUUID } from 'node:crypto';
import type { Alert, MetricKey, Reading, RetainedBuilding } from '@crowdvision/contracts';
import { type BuildingDirectory, type Presence, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import { alertOf } from '../alerts/alert-of.ts';
import type { AlertBook } from '../alerts/alert-repository.ts';
import { type RoomMemory, recallRooms, roomsOf } from '../rules/room-memory.ts';
import { ALL_CLEAR, decide, metricOf, type Rule, rulesOf } from '../rules/rules.ts';
import { type Condition, type RoomDocument, type RuleKind, roomKey } from '../store.ts';

/** A reading at its place in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

export interface WatchmanParts {
	store: Store;
	book: AlertBook;
	directory: BuildingDirectory;
	presence: Pick<Presence, 'of'>;
	/** Dwell time where a limit says nothing of it. */
	dwellMs: number;
	/** Whether position `a` of the stream lies behind `b`. */
	after: (a: string, b: string) => boolean;
}

/**
 * Applies the rules. What it decides and what it decided it from, with its place in the stream, are one commit; so a
 * reading that is delivered again is known, and neither that nor a crash can open or clear anything twice. Where
 * somebody else changed one of these documents meanwhile, all of it is decided anew.
 *
 *   reading ─▶ room memory (newest of each sensor) ─▶ room value ─▶ rules ─┬─▶ conditions
 *   building changed ─────────────────────────────────────────────▶ rules ─┴─▶ alerts, outbox
 */
export class Watchman {
	readonly #parts: WatchmanParts;
	readonly #rooms: Collection<RoomDocument>;

	constructor(parts: WatchmanParts) {
		this.#parts = parts;
		this.#rooms = parts.store.collection('rooms');
	}

	/**
	 * Takes readings in, in this order. Resolves with the alerts that changed, when all of it is kept.
	 * @throws CrowdVisionError `unavailable` when the store is, or others kept changing the same.
	 */
	observe(readings: readonly PlacedReading[], now: number): Promise<Alert[]> {
		const places = readings.map(({ reading }) => reading);
		return this.#decideAnew(places, (rooms) => {
			const alerts: Alert[] = [];
			for (const { reading, position } of readings) {
				const room = rooms.get(roomKey(reading.buildingId, reading.roomId))!;
				const { metric, sensorId, value, observedAt } = reading;
				if (room.observe({ metric, sensorId, value, observedAt, position }, this.#parts.after))
					alerts.push(...this.#apply(room, now, metric));
			}
			return alerts;
		});
	}

	/**
	 * Looks at a building anew, whose rooms or limits changed. Resolves with the alerts that changed, when that is kept.
	 */
	async review(buildingId: string, now: number): Promise<Alert[]> {
		const alerts: Alert[] = [];
		for await (const roomIds of roomsOf(this.#rooms, buildingId)) {
			const places = roomIds.map((roomId) => ({ buildingId, roomId }));
			alerts.push(
				...(await this.#decideAnew(places, (rooms) =>
					[...rooms.values()].flatMap((room) => [...this.#apply(room, now), ...this.#endUnruled(room, now)]),
				)),
			);
		}
		return alerts;
	}

	/** Recalls rooms, decides, and keeps what came of it in one commit. */
	#decideAnew(
		places: readonly { buildingId: string; roomId: string }[],
		look: (rooms: Map<string, RoomMemory>) => Alert[],
	): Promise<Alert[]> {
		const { store, book } = this.#parts;
		return retryOnConflict(async (attempt) => {
			const rooms = await recallRooms(this.#rooms, places);
			if (attempt > 0) for (const room of rooms.values()) await this.#adopt(room);
			const alerts = look(rooms);
			const changed = [...rooms.values()].flatMap((room) => room.write(this.#rooms) ?? []);
			await store.commit([...changed, ...(await book.writesOf(alerts))]);
			return alerts;
		});
	}

	/** An open alert that the room knows nothing of would keep it from ever opening another: it is the room's. */
	async #adopt(room: RoomMemory): Promise<void> {
		for (const { id, kind, observedAt, value = 0, limit = 0 } of await this.#parts.book.standing(
			room.buildingId,
			room.roomId,
		)) {
			if (kind === 'manual' || room.condition(kind).alertId === id) continue;
			const side = value < limit ? 'min' : 'max';
			room.setCondition(kind, { phase: 'open', since: observedAt, side, seenAt: observedAt, alertId: id });
		}
	}

	/** A room of a building that nobody has told of yet has no rules: it is looked at when somebody does. */
	#apply(room: RoomMemory, now: number, metric?: MetricKey): Alert[] {
		const building = this.#parts.directory.get(room.buildingId);
		const retained = building?.rooms.find(({ id }) => id === room.roomId);
		if (!building || !retained) return [];
		const alerts: Alert[] = [];
		for (const rule of rulesOf(retained, this.#parts.dwellMs)) {
			if (metric !== undefined && rule.metric !== metric) continue;
			const value = room.value(rule.metric, now, this.#parts.presence);
			if (!value) continue;
			const before = room.condition(rule.kind);
			const { condition, event } = decide(before, value, rule);
			const after = event === 'open' ? { ...condition, alertId: randomUUID() } : condition;
			room.setCondition(rule.kind, after);
			if (!event) continue;
			const [state, { alertId, side }] =
				event === 'open' ? (['open', after] as const) : (['resolved', before] as const);
			alerts.push(
				alertOf({
					id: alertId!,
					state,
					building,
					room: retained,
					rule,
					...boundOf(rule, side),
					value: value.value,
					observedAt: value.observedAt,
				}),
			);
		}
		return alerts;
	}

	/** Ends the breaches and alerts of a room whose limit, or which itself, is no more. */
	#endUnruled(room: RoomMemory, now: number): Alert[] {
		const building = this.#parts.directory.get(room.buildingId);
		if (!building) return [];
		const retained = building.rooms.find(({ id }) => id === room.roomId);
		const ruled = retained ? rulesOf(retained, this.#parts.dwellMs).map(({ kind }) => kind) : [];
		const gone = room.unclearKinds().filter((kind) => !ruled.includes(kind));
		return gone.flatMap((kind) => {
			const condition = room.condition(kind);
			room.setCondition(kind, { ...ALL_CLEAR, seenAt: condition.seenAt });
			return condition.alertId === null ? [] : [this.#endOf(room, building, kind, condition.alertId, now)];
		});
	}

	#endOf(room: RoomMemory, building: RetainedBuilding, kind: RuleKind, id: string, now: number): Alert {
		const value = room.value(metricOf(kind), now, this.#parts.presence)?.value;
		return alertOf({
			id,
			state: 'resolved',
			building,
			room: building.rooms.find((one) => one.id === room.roomId) ?? { id: room.roomId, name: room.roomId },
			rule: { kind, severity: 'info' },
			...(value !== undefined && { value }),
			observedAt: now,
		});
	}
}

/** The limit that was crossed; of a rule that has lost that side, the other. */
function boundOf(rule: Rule, side: Condition['side']): { bound?: { limit: number; side: 'max' | 'min' } } {
	const told = side && rule[side] ? side : rule.max ? 'max' : 'min';
	const bound = rule[told];
	return bound ? { bound: { limit: bound.limit, side: told } } : {};
}
