import type { MetricKey, Reading, SensorValue } from '@crowdvision/contracts';

/**
 * What the services keep, on one of two engines: SQLite files or MongoDB. A promise resolves when the effect is durable
 * there, and every method rejects with CrowdVisionError `unavailable` when the engine fails, stays away longer than its
 * timeout, or too much is waiting.
 */
export interface Stores {
	/** Opens or creates what one service keeps. `name` is the service's; each opens its own. */
	open(name: string, definition: StoreDefinition): Promise<Store>;
	/** Ends what is under way, then closes every store. */
	close(): Promise<void>;
}

export interface StoreDefinition {
	/** By name. One that is no longer defined keeps what it holds. */
	collections: Record<string, CollectionDefinition>;
	/** Where given, the store keeps readings as well. */
	readings?: ReadingRetention;
}

export interface CollectionDefinition {
	/** Every way of finding documents but by id. Indexes are made and dropped at opening as they are defined. */
	indexes?: Record<string, IndexDefinition>;
}

/** Fields are of the document's top level and hold text, numbers or booleans: in every document the same. */
export interface IndexDefinition {
	fields: readonly string[];
	/** No two documents may agree in all fields. A document that lacks one of them is not meant. */
	unique?: boolean;
	/** Limits the index to documents with exactly these values. */
	where?: Readonly<Record<string, FieldValue>>;
}

export type FieldValue = string | number | boolean;
/** Equal to the value, or to one of several, or within a range. A document that lacks the field never matches. */
export type Condition =
	| FieldValue
	| { in: readonly FieldValue[] }
	| { gt?: FieldValue; gte?: FieldValue; lt?: FieldValue; lte?: FieldValue };

export interface Query<T> {
	/**
	 * Every field must stand in an index of the collection, and so must that of `order`. A condition that is undefined is
	 * refused (Error).
	 */
	where?: { readonly [Field in keyof T & string]?: Condition };
	/**
	 * By id where it is left out. Documents that agree in the field come in the order of their ids, which `descending`
	 * turns round too.
	 */
	order?: { by: keyof T & string; descending?: boolean };
	/** Most documents to return. */
	limit: number;
}

/**
 * A document as it stands. `version` rises with every write, and none comes back for an id that was removed and
 * inserted again.
 */
export interface Kept<T> {
	id: string;
	version: number;
	value: T;
}

/** A change, made by a collection and done by `Store.commit`. */
export interface Write {
	readonly collection: string;
	readonly op: 'insert' | 'replace' | 'put' | 'remove';
	readonly id: string;
	/** Of `replace` and `remove`: done only while the document has this version. */
	readonly version?: number;
	readonly value?: unknown;
}

/** Documents of one kind: plain JSON values, each with an id. */
export interface Collection<T> {
	get(id: string): Promise<Kept<T> | undefined>;
	/** Those there are, in the order of their ids. */
	getAll(ids: readonly string[]): Promise<Kept<T>[]>;
	find(query: Query<T>): Promise<Kept<T>[]>;

	/** Refused with `conflict` where the id, or what a unique index names, is taken. */
	insert(id: string, value: T): Write;
	/** Refused with `conflict` when the document was changed or removed since it was read. */
	replace(kept: Pick<Kept<T>, 'id' | 'version'>, value: T): Write;
	/** Inserts or overwrites, whatever stood there. */
	put(id: string, value: T): Write;
	/**
	 * Of what was read: refused with `conflict` when it was changed or removed since. Of an id: whatever stood there, if
	 * anything.
	 */
	remove(which: Pick<Kept<T>, 'id' | 'version'> | string): Write;
}

/** What one service keeps. */
export interface Store {
	collection<T extends object>(name: string): Collection<T>;
	/**
	 * Does all of the writes or none, in their order.
	 * @throws CrowdVisionError `conflict`, with `path` naming the first field of the unique index where one is the
	 * reason.
	 */
	commit(writes: readonly Write[]): Promise<void>;
	/** @throws Error in a store that was opened without `readings`. */
	readonly readings: Readings;
	/** Undefined when usable, else the reason for a person. Resolves within two seconds. */
	trouble(): Promise<string | undefined>;
	close(): Promise<void>;
}

// ---------------------------------------------------------------- readings

/** How long readings and roll-ups are kept, in ms by the time of observation. */
export interface ReadingRetention {
	readingsMs: number;
	rollUpsMs: number;
}

/** A reading at its place in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

/** What one sensor of a room said last of a metric. */
export interface Latest extends SensorValue {
	roomId: string;
	metric: MetricKey;
	/**
	 * Epoch ms: since when the sensor has said this same value. Where it turns out late that it said another in between:
	 * since it was said last.
	 */
	unchangedSince: number;
}

export interface Sample {
	sensorId: string;
	/** Epoch ms, whole. */
	observedAt: number;
	value: number;
}

export interface RoomMetric {
	buildingId: string;
	roomId: string;
	metric: MetricKey;
}

/** `from` is included, `to` is not; epoch ms. */
export interface TimeRange {
	from: number;
	to: number;
}

/** Length of a roll-up's period: every time zone's offset is a multiple of it. */
export const ROLL_UP_MS = 15 * 60_000;

/** What is left of a period's samples when nobody asks for each of them. */
export interface RollUp {
	/** Start of the period, a multiple of ROLL_UP_MS. */
	start: number;
	/** Undefined: of the room's value, all its sensors combined. */
	sensorId?: string;
	/** For how much of the period a value was known, in ms. */
	knownMs: number;
	/** Integral of the value over the time it was known: value x ms. */
	weighted: number;
	/** Samples observed within the period. */
	count: number;
	/** Of the values that held at some time within it. */
	min: number;
	max: number;
	/** What was said last, and when. */
	last: number;
	lastAt: number;
}

/** A period whose roll-ups do not tell all of its samples yet. */
export interface StalePeriod extends RoomMetric {
	start: number;
	/** Changes with every sample that is taken in for the period. */
	token: string;
}

/** Readings as time series: each sensor of each room and metric is one. */
export interface Readings {
	/**
	 * Stores readings, and that `stream` is taken in up to `position`. One that is stored already, by id, changes
	 * nothing. The periods they are observed in, and those that their values reach into within `holdMs`, become stale. Of
	 * one older than what `forget` removed, only counts whether it is the latest. `after(a, b)`: whether stream position
	 * `a` lies behind `b`; it decides which of two readings of the same moment is the latest.
	 */
	insert(
		batch: readonly PlacedReading[],
		progress: { stream: string; position: string },
		options: InsertOptions,
	): Promise<void>;
	/** How far the stream was taken in; undefined before anything was. */
	progress(stream: string): Promise<string | undefined>;
	/**
	 * The latest of each sensor of a building, and a position of `stream` which all of that holds at, or is newer than.
	 */
	latest(stream: string, buildingId: string): Promise<{ position: string | undefined; latest: Latest[] }>;

	/** In order of time, then sensor; at most `limit`, the earliest. */
	samples(of: RoomMetric & { sensorId?: string }, range: TimeRange, limit: number): Promise<Sample[]>;
	/** In order of time; without `sensorId` those of the room's value. */
	rollUps(of: RoomMetric & { sensorId?: string }, range: TimeRange): Promise<RollUp[]>;
	/** Starts of the stale periods within a range, in order. */
	stalePeriods(of: RoomMetric, range: TimeRange): Promise<number[]>;
	/** Stale periods that end at or before `before`, the longest stale first, at most `limit`. */
	nextStale(before: number, limit: number): Promise<StalePeriod[]>;
	/**
	 * Puts the roll-ups of a period in the place of those it had; it is stale no more. Does nothing when its token is
	 * another by now, or it is not stale.
	 */
	keepRollUps(period: StalePeriod, rollUps: readonly RollUp[]): Promise<void>;

	/** Removes what is older than the retention. */
	forget(now: number): Promise<void>;
	removeBuilding(buildingId: string): Promise<void>;
}

export interface InsertOptions {
	holdMs: number;
	after(a: string, b: string): boolean;
}
