import type { Reading, SensorValue } from '@crowdvision/contracts';

/**
 * The data of the services, on one of two engines: SQLite files or MongoDB. A promise resolves when its effect is
 * durable, and every method rejects with CrowdVisionError `unavailable` when the engine fails, stays away longer than
 * its timeout, or has too many requests waiting.
 */
export interface Stores {
	/** Opens or creates the store of one service; `name` is the name of the service. */
	open(name: string, definition: StoreDefinition): Promise<Store>;
	/** Finishes the requests under way, then closes every store. */
	close(): Promise<void>;
}

export interface StoreDefinition {
	/** By name. A collection that is no longer defined keeps its documents. */
	collections: Record<string, CollectionDefinition>;
	/** Set for a store that holds readings as well. */
	readings?: ReadingRetention;
}

export interface CollectionDefinition {
	/** Every way of finding documents except by id. Indexes are created and dropped at opening, as defined. */
	indexes?: Record<string, IndexDefinition>;
}

/** Fields are at the top level of the document and hold text, numbers or booleans, the same type in every document. */
export interface IndexDefinition {
	fields: readonly string[];
	/** No two documents may agree in all fields. Documents that lack one of them are exempt. */
	unique?: boolean;
	/** Limits the index to documents with exactly these values. */
	where?: Readonly<Record<string, FieldValue>>;
}

export type FieldValue = string | number | boolean;
/** Equal to a value, equal to one of several, or within a range. A document that lacks the field never matches. */
export type Condition =
	| FieldValue
	| { in: readonly FieldValue[] }
	| { gt?: FieldValue; gte?: FieldValue; lt?: FieldValue; lte?: FieldValue };

export interface Query<T> {
	/**
	 * Every field here and in `order` must be part of an index of the collection. A condition that is undefined is an
	 * Error.
	 */
	where?: { readonly [Field in keyof T & string]?: Condition };
	/**
	 * Default: by id. Documents that agree in the field come in the order of their ids, which `descending` reverses
	 * too.
	 */
	order?: { by: keyof T & string; descending?: boolean };
	/** Maximum number of documents to return. */
	limit: number;
}

/**
 * A document as it was read. `version` rises with every write, and never repeats, even for an id that was removed and
 * inserted again.
 */
export interface Versioned<T> {
	id: string;
	version: number;
	value: T;
}

/** A change, made by a method of Collection and applied by `Store.commit`. */
export interface Write {
	readonly collection: string;
	readonly op: 'insert' | 'replace' | 'put' | 'remove';
	readonly id: string;
	/** For `replace` and `remove`: applied only while the document has this version. */
	readonly version?: number;
	readonly value?: unknown;
}

/** Documents of one kind: JSON objects, each with an id. */
export interface Collection<T> {
	get(id: string): Promise<Versioned<T> | undefined>;
	/** The existing ones among `ids`, in the order of their ids. */
	getAll(ids: readonly string[]): Promise<Versioned<T>[]>;
	find(query: Query<T>): Promise<Versioned<T>[]>;

	/** Its commit is refused with `conflict` when the id or a unique value is taken. */
	insert(id: string, value: T): Write;
	/** Its commit is refused with `conflict` when the document was changed or removed since it was read. */
	replace(read: Pick<Versioned<T>, 'id' | 'version'>, value: T): Write;
	/** Inserts, or overwrites whatever is there. */
	put(id: string, value: T): Write;
	/**
	 * Given a document: its commit is refused with `conflict` when the document was changed or removed since it was read.
	 * Given an id: removes whatever is there, if anything.
	 */
	remove(which: Pick<Versioned<T>, 'id' | 'version'> | string): Write;
}

/** The data of one service. */
export interface Store {
	collection<T extends object>(name: string): Collection<T>;
	/**
	 * Applies all of the writes in their order, or none.
	 * @throws CrowdVisionError `conflict`; where a unique index is the reason, `path` names its first field.
	 */
	commit(writes: readonly Write[]): Promise<void>;
	/** @throws Error in a store that was opened without `readings`. */
	readonly readings: Readings;
	/** Undefined when usable, else the reason for a person. Resolves within two seconds. */
	trouble(): Promise<string | undefined>;
	close(): Promise<void>;
}

/** How long readings and roll-ups are kept after their observation, in ms. */
export interface ReadingRetention {
	readingsMs: number;
	rollUpsMs: number;
}

/** A reading with its position in the stream. */
export interface PlacedReading {
	reading: Reading;
	position: string;
}

/** The latest value of one sensor of a room for a metric. */
export interface Latest extends SensorValue {
	roomId: string;
	metric: string;
	/**
	 * Epoch ms: since when the sensor has reported this value without a change. When a late reading shows another value
	 * in between: the time of the latest report.
	 */
	unchangedSince: number;
}

export interface Sample {
	sensorId: string;
	/** Epoch ms, an integer. */
	observedAt: number;
	value: number;
	/** How long it holds, in ms, where that is longer than values of its metric usually do. */
	freshFor?: number;
	/** Its sensor sent a little more than there can be, and `value` is the upper limit. */
	clipped?: true;
}

export interface RoomMetric {
	buildingId: string;
	roomId: string;
	metric: string;
}

/** `from` is included, `to` is excluded; epoch ms. */
export interface TimeRange {
	from: number;
	to: number;
}

/** Length of a roll-up's period in ms. Every time zone's offset is a multiple of it. */
export const ROLL_UP_MS = 15 * 60_000;

/** The summary of a period's samples. */
export interface RollUp {
	/** Start of the period, a multiple of ROLL_UP_MS. */
	start: number;
	/** Undefined for the value of the room, with all its sensors combined. */
	sensorId?: string;
	/** How long within the period a value was known, in ms. */
	knownMs: number;
	/** Integral of the value over the time it was known, in value × ms. */
	weighted: number;
	/** Samples observed within the period. */
	count: number;
	/** Minimum and maximum of the values that held at some time within the period. */
	min: number;
	max: number;
	/** The last reported value, and its time in epoch ms. */
	last: number;
	lastAt: number;
	/** Of `knownMs`, how long the value was a sum that lacked silent counters, in ms; absent where it never was. */
	incompleteMs?: number;
	/** Some value that held within the period was clipped. */
	clipped?: true;
}

/** A period whose roll-ups do not include all of its samples yet. */
export interface StalePeriod extends RoomMetric {
	start: number;
	/** Changes with every sample that is stored for the period. */
	token: string;
}

/** Readings as time series, one per building, room, metric and sensor. */
export interface Readings {
	/**
	 * Stores readings, and that `stream` is processed up to `position`. A reading whose id is stored already changes
	 * nothing. The periods in which the readings are observed, and those that their values reach into within `holdMs`,
	 * become stale. A reading older than what `forget` removed only updates the latest value. `after(a, b)`: whether
	 * stream position `a` comes after `b`; it decides which of two readings of the same moment is the latest.
	 */
	insert(
		batch: readonly PlacedReading[],
		progress: { stream: string; position: string },
		options: InsertOptions,
	): Promise<void>;
	/** The position up to which the stream is processed; undefined before the first insert. */
	progress(stream: string): Promise<string | undefined>;
	/**
	 * The latest values of a building's sensors, and a position of `stream`: the values are as of this position or newer.
	 */
	latest(stream: string, buildingId: string): Promise<{ position: string | undefined; latest: Latest[] }>;

	/** The earliest samples, at most `limit`, ordered by time and then by sensor. */
	samples(of: RoomMetric & { sensorId?: string }, range: TimeRange, limit: number): Promise<Sample[]>;
	/** The last sample of each sensor in the range, in order of time. */
	lastSamples(of: RoomMetric & { sensorId?: string }, range: TimeRange): Promise<Sample[]>;
	/** Ordered by time; without `sensorId` the roll-ups of the room's value. */
	rollUps(of: RoomMetric & { sensorId?: string }, range: TimeRange): Promise<RollUp[]>;
	/** Starts of the stale periods within a range, in order. */
	stalePeriods(of: RoomMetric, range: TimeRange): Promise<number[]>;
	/** Stale periods that end at or before `before`, at most `limit`, the longest stale first. */
	nextStale(before: number, limit: number): Promise<StalePeriod[]>;
	/**
	 * Replaces the roll-ups of a period, which is then no longer stale. Does nothing if its token has changed or it is
	 * not stale.
	 */
	replaceRollUps(period: StalePeriod, rollUps: readonly RollUp[]): Promise<void>;

	/**
	 * Makes all periods of a metric of a room stale whose samples are still held, as their roll-ups follow another rule
	 * from now on.
	 */
	makeStale(of: RoomMetric): Promise<void>;

	/** Removes everything older than the retention. */
	forget(now: number): Promise<void>;
	/** @param room only what is stored of this room; default: of all */
	removeBuilding(buildingId: string, room?: string): Promise<void>;
}

/** See Readings.insert. */
export interface InsertOptions {
	/** How long values hold that state no longer time themselves, in ms. */
	holdMs: number;
	after(a: string, b: string): boolean;
}
