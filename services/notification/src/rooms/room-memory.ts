import { isDeepStrictEqual } from 'node:util';
import { type LatestValue, type MetricLookup, type RetainedRoom, roomValue } from '@crowdvision/contracts';
import { ALL_CLEAR, type Condition, type RuleKind } from '@crowdvision/rules';
import type { Presence } from '@crowdvision/service-kit';
import { type Collection, documentPages, type Versioned, type Write } from '@crowdvision/store';
import { type Observation, type RoomDocument, roomKey } from '../store.ts';

/** Sensors and metrics that a room remembers; beyond that it forgets the one that was observed longest ago. */
const MAX_SENSORS = 1000;

/** What the value of a room depends on, besides its sensors. */
export interface ValueParts extends Pick<RetainedRoom, 'combine'> {
	presence: Pick<Presence, 'of'>;
	catalog: MetricLookup;
}

/** The latest values and conditions of one room while its rules are evaluated. `write` stores what changed. */
export class RoomMemory {
	readonly buildingId: string;
	readonly roomId: string;
	readonly #stored: Versioned<RoomDocument> | undefined;
	readonly #sensors: Map<string, Observation>;
	readonly #conditions: Map<RuleKind, Condition>;
	#changed = false;

	constructor(buildingId: string, roomId: string, stored?: Versioned<RoomDocument>) {
		this.buildingId = buildingId;
		this.roomId = roomId;
		this.#stored = stored;
		this.#sensors = new Map(stored?.value.sensors.map((sensor) => [keyOf(sensor), sensor]));
		this.#conditions = new Map(stored?.value.conditions.map(({ kind, ...condition }) => [kind, condition]));
	}

	/**
	 * Adds an observation. Returns what its sensor said before, if anything, and undefined when it, or a newer
	 * one of its sensor and metric, is known already. Of two at the same moment, the one later in the stream is newer; so
	 * it is where an earlier version kept a time that lay ahead of its receipt.
	 * @param receivedAt of the observation, epoch ms
	 * @param after whether position `a` comes after `b`
	 */
	observe(
		observation: Observation,
		receivedAt: number,
		after: (a: string, b: string) => boolean,
	): { earlier?: Observation } | undefined {
		const key = keyOf(observation);
		const known = this.#sensors.get(key);
		if (known && known.observedAt >= observation.observedAt) {
			const isRanked = known.observedAt > observation.observedAt && known.observedAt <= receivedAt;
			if (isRanked || !after(observation.position, known.position)) return undefined;
		}
		this.#sensors.set(key, observation);
		this.#changed = true;
		if (this.#sensors.size > MAX_SENSORS) this.#forgetOldest();
		return known ? { earlier: known } : {};
	}

	/** The room's value of a metric at `now` (epoch ms); values of offline sensors are not current. */
	value(metric: string, now: number, { presence, catalog, combine }: ValueParts): LatestValue | undefined {
		const sensors = [...this.#sensors.values()].filter((sensor) => sensor.metric === metric);
		return roomValue(
			metric,
			sensors.map((sensor) => ({ ...sensor, ...presence.of(sensor.sensorId, this.buildingId) })),
			now,
			catalog,
			combine,
		);
	}

	/**
	 * The condition of a rule at `now` (epoch ms). One that an earlier version kept with a time ahead has seen nothing.
	 */
	condition(kind: RuleKind, now: number): Condition {
		const condition = this.#conditions.get(kind) ?? ALL_CLEAR;
		return condition.seenAt > now ? { ...condition, seenAt: 0 } : condition;
	}

	setCondition(kind: RuleKind, condition: Condition): void {
		if (isDeepStrictEqual(this.#conditions.get(kind) ?? ALL_CLEAR, condition)) return;
		this.#conditions.set(kind, condition);
		this.#changed = true;
	}

	/** The kinds of rules that are in breach or have an open alert. */
	unclearKinds(): RuleKind[] {
		return [...this.#conditions].filter(([, { phase }]) => phase !== 'clear').map(([kind]) => kind);
	}

	/**
	 * The write that stores the changes; undefined when there are none. It is refused if the room was changed since it
	 * was read.
	 */
	write(rooms: Collection<RoomDocument>): Write | undefined {
		if (!this.#changed) return undefined;
		const { buildingId, roomId } = this;
		const conditions = [...this.#conditions].map(([kind, condition]) => ({ kind, ...condition }));
		const document: RoomDocument = { buildingId, roomId, sensors: [...this.#sensors.values()], conditions };
		return this.#stored ? rooms.replace(this.#stored, document) : rooms.insert(roomKey(buildingId, roomId), document);
	}

	#forgetOldest(): void {
		let [oldest] = this.#sensors as Iterable<[string, Observation]>;
		for (const entry of this.#sensors) if (entry[1].observedAt < oldest![1].observedAt) oldest = entry;
		this.#sensors.delete(oldest![0]);
	}
}

const keyOf = ({ metric, sensorId }: Observation) => `${metric} ${sensorId}`;

/** Reads these rooms, by `roomKey`. A room that is not stored yet is included, empty. */
export async function recallRooms(
	rooms: Collection<RoomDocument>,
	places: readonly { buildingId: string; roomId: string }[],
): Promise<Map<string, RoomMemory>> {
	const wanted = new Map(places.map(({ buildingId, roomId }) => [roomKey(buildingId, roomId), { buildingId, roomId }]));
	const stored = new Map((await rooms.getAll([...wanted.keys()])).map((room) => [room.id, room]));
	return new Map(
		[...wanted].map(([key, { buildingId, roomId }]) => [key, new RoomMemory(buildingId, roomId, stored.get(key))]),
	);
}

const PAGE_SIZE = 100;

/** The ids of all stored rooms of a building, a page at a time. */
export async function* roomsOf(rooms: Collection<RoomDocument>, buildingId: string): AsyncGenerator<string[]> {
	for await (const page of documentPages(rooms, { where: { buildingId }, by: 'roomId', pageSize: PAGE_SIZE }))
		yield page.map(({ value }) => value.roomId);
}
