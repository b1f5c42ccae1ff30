import { randomUUID } from 'node:crypto';
import {
	type Alert,
	generationInKey,
	generationKey,
	idInKey,
	type MetricLookup,
	momentOf,
	type Reading,
	type RetainedBuilding,
	type RetainedRoom,
} from '@crowdvision/contracts';
import {
	ALL_CLEAR,
	type Condition,
	decide,
	metricOf,
	type Rule,
	type RuleKind,
	rulesOf,
	type Side,
} from '@crowdvision/rules';
import { type BuildingDirectory, type Presence, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import { alertOf } from '../alerts/alert-of.ts';
import type { AlertRepository } from '../alerts/alert-repository.ts';
import type { AlertChange } from '../alerts/change.ts';
import { type RoomMemory, recallRooms, roomsOf } from '../rooms/room-memory.ts';
import { type Observation, type RoomDocument, roomKey } from '../store.ts';

/** A reading and its position in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

/** A reading that a room has just taken in, as far as its rules need it. */
interface Observed {
	metric: string;
	sensorId: string;
	/** What the sensor said before. */
	earlier?: Observation;
}

export interface RuleEvaluatorParts {
	store: Store;
	repository: AlertRepository;
	directory: BuildingDirectory;
	presence: Pick<Presence, 'of'>;
	catalog: MetricLookup;
	/** Dwell time of limits that do not set one, in ms. */
	dwellMs: number;
	/** Whether position `a` of the stream comes after `b`. */
	after: (a: string, b: string) => boolean;
}

/**
 * Evaluates the rules of rooms. Its decisions and the readings they rest on, with their positions in the stream, are
 * one commit; so neither a redelivered reading nor a crash opens or resolves an alert twice. When a parallel change has
 * touched one of these documents, the commit is refused and everything is decided again.
 *
 *   reading ─▶ room memory (newest of each sensor) ─▶ room value ─▶ rules ─┬─▶ conditions
 *   building changed ─────────────────────────────────────────────▶ rules ─┴─▶ alerts, outbox
 */
export class RuleEvaluator {
	readonly #parts: RuleEvaluatorParts;
	readonly #rooms: Collection<RoomDocument>;

	constructor(parts: RuleEvaluatorParts) {
		this.#parts = parts;
		this.#rooms = parts.store.collection('rooms');
	}

	/**
	 * Evaluates the rules for readings, in this order. Resolves with the changed alerts once they are stored.
	 * @param now epoch ms
	 * @throws CrowdVisionError `unavailable` when the store is, or when parallel changes keep conflicting
	 */
	observe(readings: readonly PlacedReading[], now: number): Promise<Alert[]> {
		const placed = readings.flatMap((one) => {
			const { buildingId, roomId } = one.reading;
			const generation = this.#parts.directory.generationFor(one.reading);
			return generation === false ? [] : [{ ...one, buildingId, roomId: generationKey(roomId, generation) }];
		});
		if (placed.length === 0) return Promise.resolve([]);
		return this.#decide(placed, now, (rooms) => {
			const changes: AlertChange[] = [];
			for (const { reading, position, buildingId, roomId } of placed) {
				const room = rooms.get(roomKey(buildingId, roomId))!;
				const { metric, sensorId, value, freshFor, interval } = reading;
				const observation = {
					...{ metric, sensorId, value, ...interval, observedAt: momentOf(reading), position },
					...(freshFor !== undefined && { freshFor }),
				};
				const observed = room.observe(observation, reading.receivedAt, this.#parts.after);
				if (observed) changes.push(...this.#apply(room, now, { metric, sensorId, ...observed }));
			}
			return changes;
		});
	}

	/**
	 * Evaluates all rules of a building whose rooms or limits changed, and forgets rooms and alerts of those that had its
	 * id before. Resolves with the changed alerts once they are stored.
	 */
	async review(buildingId: string, now: number): Promise<Alert[]> {
		const alerts: Alert[] = [];
		await this.#forget(buildingId);
		for await (const roomIds of roomsOf(this.#rooms, buildingId)) {
			const places = roomIds.map((roomId) => ({ buildingId, roomId }));
			alerts.push(
				...(await this.#decide(places, now, (rooms) =>
					[...rooms.values()].flatMap((room) => [...this.#apply(room, now), ...this.#endUnruled(room, now)]),
				)),
			);
		}
		return alerts;
	}

	/** Forgets what belongs to buildings of this id that were removed. */
	async #forget(buildingId: string): Promise<void> {
		const { store, repository, directory } = this.#parts;
		const ended = directory.ended(buildingId);
		if (!ended) return;
		for await (const roomIds of roomsOf(this.#rooms, buildingId)) {
			const over = roomIds.filter((roomId) => ended.isOver(generationInKey(roomId)));
			if (over.length > 0) await store.commit(over.map((roomId) => this.#rooms.remove(roomKey(buildingId, roomId))));
		}
		await repository.forget(buildingId, (generation) => ended.isOver(generation));
	}

	/** The room as it is announced; undefined for one that was removed, also where another has its id now. */
	#retained({ buildingId, roomId }: RoomMemory): RetainedRoom | undefined {
		const retained = this.#parts.directory.room(buildingId, idInKey(roomId));
		return retained?.generation === generationInKey(roomId) ? retained : undefined;
	}

	/** Reads the rooms, lets `evaluate` change them, and stores rooms and alerts in one commit. */
	#decide(
		places: readonly { buildingId: string; roomId: string }[],
		now: number,
		evaluate: (rooms: Map<string, RoomMemory>) => AlertChange[],
	): Promise<Alert[]> {
		const { store, repository } = this.#parts;
		return retryOnConflict(async (attempt) => {
			const rooms = await recallRooms(this.#rooms, places);
			if (attempt > 0) for (const room of rooms.values()) await this.#adopt(room, now);
			const changes = evaluate(rooms);
			const changed = [...rooms.values()].flatMap((room) => room.write(this.#rooms) ?? []);
			await store.commit([...changed, ...(await repository.writesOf(changes))]);
			return changes.map(({ alert }) => alert);
		});
	}

	/**
	 * Restores the conditions of open alerts that the room does not know of. Otherwise the store would refuse every new
	 * alert of that kind, since there is one unresolved alert per room and kind.
	 */
	async #adopt(room: RoomMemory, now: number): Promise<void> {
		for (const {
			id,
			kind,
			observedAt,
			value = 0,
			limit = 0,
			severity,
			side = value < limit ? 'min' : 'max',
		} of await this.#parts.repository.unresolved(room.buildingId, room.roomId)) {
			if (kind === 'manual' || room.condition(kind, now).alertId === id) continue;
			const open = { phase: 'open', since: observedAt, side, seenAt: observedAt, alertId: id, severity } as const;
			room.setCondition(kind, open);
		}
	}

	/** Rooms of an unknown building have no rules yet: they are reviewed when the building is announced. */
	#apply(room: RoomMemory, now: number, observed?: Observed): AlertChange[] {
		const building = this.#parts.directory.get(room.buildingId);
		const retained = this.#retained(room);
		if (!building || !retained) return [];
		const { dwellMs, presence, catalog } = this.#parts;
		const changes: AlertChange[] = [];
		for (const rule of rulesOf(retained, dwellMs, catalog)) {
			if (observed && rule.metric !== observed.metric) continue;
			const value = room.value(rule.metric, now, { presence, catalog, combine: retained.combine });
			if (!value) continue;
			const before = room.condition(rule.kind, now);
			// What one counter said before is not what the room's value was.
			const isOwn = value.combined === undefined && value.sensorId === observed?.sensorId;
			const earlier = isOwn ? observed.earlier : undefined;
			const { condition, event } = decide(before, value, rule, earlier);
			const after = event === 'open' ? { ...condition, alertId: randomUUID() } : condition;
			room.setCondition(rule.kind, after);
			if (!event) continue;
			const { alertId, side } = event === 'resolve' ? before : after;
			const { severity = rule.severity } = event === 'resolve' ? before : after;
			const alert = alertOf(
				{
					id: alertId!,
					state: event === 'resolve' ? 'resolved' : 'open',
					building,
					room: retained,
					rule: { kind: rule.kind, severity },
					...boundOf(rule, side),
					value: value.value,
					...(value.combined && { combined: value.combined }),
					observedAt: value.observedAt,
				},
				catalog,
			);
			changes.push({ what: WHAT[event], alert });
		}
		return changes;
	}

	/** Ends the breaches and alerts of a room for which there is no rule any more, also of a removed room. */
	#endUnruled(room: RoomMemory, now: number): AlertChange[] {
		const building = this.#parts.directory.get(room.buildingId);
		if (!building) return [];
		const retained = this.#retained(room);
		const ruled = retained ? rulesOf(retained, this.#parts.dwellMs, this.#parts.catalog).map(({ kind }) => kind) : [];
		const unruled = room.unclearKinds().filter((kind) => !ruled.includes(kind));
		return unruled.flatMap((kind) => {
			const condition = room.condition(kind, now);
			room.setCondition(kind, { ...ALL_CLEAR, seenAt: condition.seenAt });
			if (condition.alertId === null) return [];
			return [{ what: 'resolved' as const, alert: this.#endOf(room, building, kind, condition.alertId, now) }];
		});
	}

	#endOf(room: RoomMemory, building: RetainedBuilding, kind: RuleKind, id: string, now: number): Alert {
		const { presence, catalog } = this.#parts;
		const combine = this.#retained(room)?.combine;
		const value = room.value(metricOf(kind), now, { presence, catalog, combine })?.value;
		const finding = {
			id,
			state: 'resolved',
			building,
			room: this.#retained(room) ?? goneRoom(room.roomId),
			rule: { kind, severity: 'info' },
			...(value !== undefined && { value }),
			observedAt: now,
		} as const;
		return alertOf(finding, this.#parts.catalog);
	}
}

const SIDES: readonly Side[] = ['max', 'min', 'rise'];
const WHAT = { open: 'opened', resolve: 'resolved', severity: 'severity' } as const;

/** A room that is not announced any more. */
function goneRoom(roomKey: string): Pick<RetainedRoom, 'id' | 'name' | 'generation'> {
	const [id, generation] = [idInKey(roomKey), generationInKey(roomKey)];
	return { id, name: id, ...(generation !== undefined && { generation }) };
}

/** The limit that was crossed, or the other one if the rule no longer has that side. */
function boundOf(rule: Rule, side: Condition['side']): { bound?: { limit: number; side: Side } } {
	const present = side && rule[side] ? side : (SIDES.find((one) => rule[one]) ?? 'max');
	const bound = rule[present];
	return bound ? { bound: { limit: bound.limit, side: present } } : {};
}
