/** The documents and collections in which MongoDB holds readings. */
import type { Transport } from '@crowdvision/contracts';
import type { Connection, mongo } from 'mongoose';
import { Schema } from 'mongoose';
import type { RollUp, RoomMetric } from '../store.ts';

/** A measurement in the time-series collection. Its `_id` is not unique there, so it may be stored twice. */
export interface Measurement {
	/** Id of the reading. */
	_id: string;
	t: Date;
	m: { building: string; room: string; metric: string; sensor: string };
	v: number;
	/** How long it holds, in ms, where that is longer than values of its metric usually do. */
	f?: number;
	/** Its sensor sent a little more than there can be, and `v` is the upper limit. */
	c?: true;
}

/** The latest value of a sensor. `_id` is its place, joined by `/`, which no part may contain. */
export interface LatestDocument {
	_id: string;
	building: string;
	room: string;
	metric: string;
	sensor: string;
	value: number;
	/** Bounds of a count that is made of crossings. */
	low?: number;
	high?: number;
	/** How long the value counts as current, in ms. */
	freshFor?: number;
	/** How people call the sensor. */
	sensorName?: string;
	/** The sensor sent a little more than there can be, and `value` is the upper limit. */
	clipped?: true;
	observedAt: number;
	transport: Transport;
	position: string;
	unchangedSince: number;
	/** Changes with every write. */
	change: string;
}

interface PeriodDocument {
	/** Building, room, metric and start, joined by `/`. */
	_id: string;
	building: string;
	room: string;
	metric: string;
	start: number;
}

/** A period whose roll-ups do not include all of its samples yet. */
export interface StaleDocument extends PeriodDocument {
	/** When it became stale; increases also within a millisecond. */
	since: mongo.BSON.ObjectId;
	/** Changes whenever samples arrive. */
	token: string;
	/** Batches that began to add samples and have not reported that they finished. */
	pending: { batch: string; at: Date }[];
}

type StoredRollUp = Omit<RollUp, 'start' | 'sensorId'>;

/** All roll-ups of a period in one document, so that they change as one. */
export interface RollUpsDocument extends PeriodDocument {
	ofRoom?: StoredRollUp;
	ofSensors: (StoredRollUp & { sensorId: string })[];
}

/** `stream <name>`: its progress as `position`. `forgotten`: readings observed before `before` are not stored. */
export interface StateDocument {
	_id: string;
	position?: string;
	before?: number;
}

/** The collections of a store's readings. */
export interface ReadingCollections {
	measurements: mongo.Collection<Measurement>;
	latest: mongo.Collection<LatestDocument>;
	stale: mongo.Collection<StaleDocument>;
	rollUps: mongo.Collection<RollUpsDocument>;
	state: mongo.Collection<StateDocument>;
}

export function readingCollections(database: mongo.Db, store: string): ReadingCollections {
	const name = `${store}.readings`;
	return {
		measurements: database.collection(name),
		latest: database.collection(`${name}.latest`),
		stale: database.collection(`${name}.stale`),
		rollUps: database.collection(`${name}.rollUps`),
		state: database.collection(`${name}.state`),
	};
}

export const periodId = ({ buildingId, roomId, metric }: RoomMetric, start: number): string =>
	[buildingId, roomId, metric, start].join('/');

const OPTIONS = { versionKey: false, strict: false, autoIndex: false, autoCreate: false } as const;
const ROOM = { building: 1, room: 1, metric: 1 } as const;

/** Creates the collections and indexes; MongoDB removes measurements older than `expireAfterSeconds` by itself. */
export async function prepareReadings(
	connection: Connection,
	store: string,
	expireAfterSeconds: number,
): Promise<void> {
	const name = `${store}.readings`;
	const measurements = new Schema(
		{ _id: String, t: Date, m: Schema.Types.Mixed, v: Number, f: Number, c: Boolean },
		{ ...OPTIONS, timeseries: { timeField: 't', metaField: 'm', granularity: 'seconds' }, expireAfterSeconds },
	);
	measurements.index({ 'm.building': 1, 'm.room': 1, 'm.metric': 1, 'm.sensor': 1, t: 1 }, { name: 'series' });
	const model = connection.model(name, measurements, name);
	await model.createCollection();
	await model.createIndexes();
	const [present] = await connection.db!.listCollections({ name }).toArray();
	const options = (present as mongo.CollectionInfo).options as { expireAfterSeconds?: number } | undefined;
	if (Number(options?.expireAfterSeconds) !== expireAfterSeconds)
		await connection.db!.command({ collMod: name, expireAfterSeconds });

	const indexes: Record<string, Record<string, 1>[]> = {
		latest: [{ building: 1 }],
		stale: [{ ...ROOM, start: 1 }, { since: 1 }, { start: 1 }],
		rollUps: [{ ...ROOM, start: 1 }, { start: 1 }],
		state: [],
	};
	for (const [part, keys] of Object.entries(indexes)) {
		const schema = new Schema({ _id: String }, OPTIONS);
		for (const key of keys) schema.index(key);
		const one = connection.model(`${name}.${part}`, schema, `${name}.${part}`);
		await one.createCollection();
		await one.syncIndexes();
	}
}
