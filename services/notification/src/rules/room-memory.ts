import { isDeepStrictEqual } from 'node:util';
import { type LatestValue, type MetricKey, roomValue } from '@crowdvision/contracts';
import type { Presence } from '@crowdvision/service-kit';
import { type Collection, documentPages, type Kept, type Write } from '@crowdvision/store';
import { type Condition, type Observation, type RoomDocument, type RuleKind, roomKey } from '../store.ts';
import { ALL_CLEAR } from './rules.ts';

/** A room remembers so many sensors and metrics; of more, those that were silent for longest are forgotten. */
const MOST_SENSORS = 1000;

/** One room while it is looked at. `write` gives what it takes to keep what became of it. */
export class RoomMemory {
	readonly buildingId: string;
	readonly roomId: string;
	readonly #kept: Kept<RoomDocument> | undefined;
	readonly #sensors: Map<string, Observation>;
	readonly #conditions: Map<RuleKind, Condition>;
	#changed = false;

	constructor(buildingId: string, roomId: string, kept?: Kept<RoomDocument>) {
		this.buildingId = buildingId;
		this.roomId = roomId;
		this.#kept = kept;
		this.#sensors = new Map(kept?.value.sensors.map((sensor) => [keyOf(sensor), sensor]));
		this.#conditions = new Map(kept?.value.conditions.map(({ kind, ...condition }) => [kind, condition]));
	}

	/**
	 * Takes in what a sensor says; false when that or something newer is known already. Of the same moment what stands
	 * later in the stream is newer: `after(a, b)` compares positions.
	 */
	observe(observation: Observation, after: (a: string, b: string) => boolean): boolean {
		const key = keyOf(observation);
		const known = this.#sensors.get(key);
		if (known && known.observedAt > observation.observedAt) return false;
		if (known?.observedAt === observation.observedAt && !after(observation.position, known.position)) return false;
		this.#sensors.set(key, observation);
		this.#changed = true;
		if (this.#sensors.size > MOST_SENSORS) this.#forgetOne();
		return true;
	}

	/** What the room's sensors together say of a metric; what one said that is offline is not current. */
	value(metric: MetricKey, now: number, presence: Pick<Presence, 'of'>): LatestValue | undefined {
		const sensors = [...this.#sensors.values()].filter((one) => one.metric === metric);
		return roomValue(
			metric,
			sensors.map((one) => ({ ...one, ...presence.of(one.sensorId) })),
			now,
		);
	}

	condition(kind: RuleKind): Condition {
		return this.#conditions.get(kind) ?? ALL_CLEAR;
	}

	setCondition(kind: RuleKind, condition: Condition): void {
		if (isDeepStrictEqual(this.condition(kind), condition)) return;
		this.#conditions.set(kind, condition);
		this.#changed = true;
	}

	/** The rules that have something to say: a breach, or an open alert. */
	unclearKinds(): RuleKind[] {
		return [...this.#conditions].filter(([, { phase }]) => phase !== 'clear').map(([kind]) => kind);
	}

	/**
	 * The write that keeps what changed; undefined when nothing did. Refused when somebody else changed the room since it
	 * was read.
	 */
	write(rooms: Collection<RoomDocument>): Write | undefined {
		if (!this.#changed) return undefined;
		const { buildingId, roomId } = this;
		const conditions = [...this.#conditions].map(([kind, condition]) => ({ kind, ...condition }));
		const document: RoomDocument = { buildingId, roomId, sensors: [...this.#sensors.values()], conditions };
		return this.#kept ? rooms.replace(this.#kept, document) : rooms.insert(roomKey(buildingId, roomId), document);
	}

	#forgetOne(): void {
		let [silent] = this.#sensors as Iterable<[string, Observation]>;
		for (const entry of this.#sensors) if (entry[1].observedAt < silent![1].observedAt) silent = entry;
		this.#sensors.delete(silent![0]);
	}
}

const keyOf = ({ metric, sensorId }: Observation) => `${metric} ${sensorId}`;

/** Recalls these rooms, by `roomKey`; one of which nothing is known yet is there too. */
export async function recallRooms(
	rooms: Collection<RoomDocument>,
	places: readonly { buildingId: string; roomId: string }[],
): Promise<Map<string, RoomMemory>> {
	const wanted = new Map(places.map(({ buildingId, roomId }) => [roomKey(buildingId, roomId), { buildingId, roomId }]));
	const kept = new Map((await rooms.getAll([...wanted.keys()])).map((one) => [one.id, one]));
	return new Map(
		[...wanted].map(([key, { buildingId, roomId }]) => [key, new RoomMemory(buildingId, roomId, kept.get(key))]),
	);
}

const PAGE_SIZE = 100;

/** The ids of every room of a building of which anything is remembered, a page at a time. */
export async function* roomsOf(rooms: Collection<RoomDocument>, buildingId: string): AsyncGenerator<string[]> {
	for await (const page of documentPages(rooms, { where: { buildingId }, by: 'roomId', pageSize: PAGE_SIZE }))
		yield page.map(({ value }) => value.roomId);
}
