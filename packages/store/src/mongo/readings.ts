/** Readings, roll-ups and latest values in MongoDB. */
import { SerialQueue } from '@crowdvision/service-kit/concurrency';
import type { Connection, mongo } from 'mongoose';
import { periodOf } from '../intake.ts';
import {
	type InsertOptions,
	type Latest,
	type PlacedReading,
	type ReadingRetention,
	type Readings,
	ROLL_UP_MS,
	type RollUp,
	type RoomMetric,
	type Sample,
	type StalePeriod,
	type TimeRange,
} from '../store.ts';
import { markStale, takeIn, UNSETTLED_MS } from './intake.ts';
import { MAX_TIME, type MongoAccess } from './link.ts';
import {
	type Measurement,
	periodId,
	prepareReadings,
	type ReadingCollections,
	type RollUpsDocument,
	readingCollections,
} from './series.ts';

const MAX_WAITING = 100;
/** Documents per batch of a cursor. */
const BATCH = 10_000;
/** The last moment that a Date can hold, in epoch ms. */
const LAST_MOMENT = 8.64e15;

/** Readings in the collections of series.ts. */
export class MongoReadings implements Readings {
	readonly #access: MongoAccess;
	readonly #store: string;
	readonly #retention: ReadingRetention;
	/** One batch at a time, so that two batches of this process never search for the same readings at once. */
	readonly #queue = new SerialQueue(MAX_WAITING);

	constructor(access: MongoAccess, store: string, retention: ReadingRetention) {
		this.#access = access;
		this.#store = store;
		this.#retention = retention;
	}

	/** The server removes measurements later than `forget` hides them, so a period that is shown is complete. */
	prepare(connection: Connection): Promise<void> {
		return prepareReadings(connection, this.#store, Math.ceil((this.#retention.readingsMs + 2 * ROLL_UP_MS) / 1000));
	}

	insert(
		batch: readonly PlacedReading[],
		progress: { stream: string; position: string },
		options: InsertOptions,
	): Promise<void> {
		return this.#queue.run(() => this.#in((collections) => takeIn(collections, batch, progress, options)));
	}

	progress(stream: string): Promise<string | undefined> {
		return this.#in(async ({ state }) => (await state.findOne({ _id: `stream ${stream}` }, MAX_TIME))?.position);
	}

	async latest(stream: string, buildingId: string): Promise<{ position: string | undefined; latest: Latest[] }> {
		// The position first: what is read after it is as new or newer.
		const position = await this.progress(stream);
		const found = await this.#in(({ latest }) =>
			latest
				.find({ building: { $eq: buildingId } }, MAX_TIME)
				.sort({ _id: 1 })
				.toArray(),
		);
		return {
			position,
			latest: found.map(({ room, metric, sensor, value, low, high, ...more }) => {
				const { freshFor, sensorName, clipped, observedAt, transport, unchangedSince } = more;
				return {
					...{ roomId: room, metric, sensorId: sensor, value, observedAt, unchangedSince },
					...(low !== undefined && high !== undefined && { low, high }),
					...(freshFor !== undefined && { freshFor }),
					...(sensorName !== undefined && { sensorName }),
					...(clipped && { clipped }),
					...(transport && { transport }),
				};
			}),
		};
	}

	async samples(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange, limit: number): Promise<Sample[]> {
		const [samples, forgotten] = await this.#in(({ measurements, state }) =>
			Promise.all([firstSamples(measurements, of, { from, to }, limit), state.findOne({ _id: 'forgotten' }, MAX_TIME)]),
		);
		// Forgotten measurements that are not removed yet come first: without them there is room for later ones.
		const oldest = (forgotten?.before ?? Number.NEGATIVE_INFINITY) - ROLL_UP_MS;
		if (from >= oldest || samples.length === 0 || samples[0]!.observedAt >= oldest) return samples;
		return to <= oldest
			? []
			: this.#in(({ measurements }) => firstSamples(measurements, of, { from: oldest, to }, limit));
	}

	async lastSamples(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange): Promise<Sample[]> {
		const { buildingId: building, roomId: room, metric, sensorId } = of;
		const found = await this.#in(async ({ measurements, latest, state }) => {
			const forgotten = await state.findOne({ _id: 'forgotten' }, MAX_TIME);
			const t = { $gte: momentAt(Math.max(from, (forgotten?.before ?? from) - ROLL_UP_MS)), $lt: momentAt(to) };
			const sensors =
				sensorId === undefined
					? (await latest.find({ building, room, metric }, { ...MAX_TIME, projection: { sensor: 1 } }).toArray()).map(
							({ sensor }) => sensor,
						)
					: [sensorId];
			return Promise.all(
				sensors.map((sensor) =>
					measurements.findOne(
						{ 'm.building': building, 'm.room': room, 'm.metric': metric, 'm.sensor': sensor, t },
						{ ...MAX_TIME, sort: { t: -1, _id: -1 } },
					),
				),
			);
		});
		return found
			.flatMap((one) => (one ? [sampleOf(one)] : []))
			.sort((a, b) => a.observedAt - b.observedAt || (a.sensorId < b.sensorId ? -1 : 1));
	}

	async rollUps(of: RoomMetric & { sensorId?: string }, { from, to }: TimeRange): Promise<RollUp[]> {
		const { sensorId } = of;
		const found = await this.#in(({ rollUps }) =>
			rollUps
				.find(
					{ ...roomOf(of), start: { $gte: from, $lt: to } },
					{
						...MAX_TIME,
						batchSize: BATCH,
						projection: {
							_id: 0,
							start: 1,
							...(sensorId === undefined ? { ofRoom: 1 } : { ofSensors: { $elemMatch: { sensorId } } }),
						},
					},
				)
				.sort({ start: 1 })
				.toArray(),
		);
		return found.flatMap(({ start, ofRoom, ofSensors }) => {
			const one = sensorId === undefined ? ofRoom : ofSensors?.[0];
			return one ? [{ start, ...one }] : [];
		});
	}

	async stalePeriods(of: RoomMetric, { from, to }: TimeRange): Promise<number[]> {
		const found = await this.#in(({ stale }) =>
			stale
				.find({ ...roomOf(of), start: { $gte: from, $lt: to } }, { ...MAX_TIME, projection: { _id: 0, start: 1 } })
				.sort({ start: 1 })
				.toArray(),
		);
		return found.map(({ start }) => start);
	}

	async nextStale(before: number, limit: number): Promise<StalePeriod[]> {
		const found = await this.#in(({ stale }) =>
			stale
				.find({ start: { $lte: before - ROLL_UP_MS }, ...settled() }, MAX_TIME)
				.sort({ since: 1 })
				.limit(limit)
				.toArray(),
		);
		return found.map(({ building, room, metric, start, token }) => ({
			buildingId: building,
			roomId: room,
			metric,
			start,
			token,
		}));
	}

	async replaceRollUps(period: StalePeriod, rollUps: readonly RollUp[]): Promise<void> {
		const _id = periodId(period, period.start);
		const document: Omit<RollUpsDocument, '_id'> = { ...roomOf(period), start: period.start, ofSensors: [] };
		for (const { start: _start, sensorId, ...rollUp } of rollUps) {
			if (sensorId === undefined) document.ofRoom = rollUp;
			else document.ofSensors.push({ sensorId, ...rollUp });
		}
		await this.#access.transaction(async (database, session) => {
			const collections = readingCollections(database, this.#store);
			const options = { ...MAX_TIME, session };
			const { deletedCount } = await collections.stale.deleteOne(
				{ _id, token: { $eq: period.token }, ...settled() },
				options,
			);
			if (deletedCount === 0) return;
			if (rollUps.length === 0) await collections.rollUps.deleteOne({ _id }, options);
			else await collections.rollUps.replaceOne({ _id }, document, { ...options, upsert: true });
		});
	}

	async makeStale(of: RoomMetric): Promise<void> {
		await this.#in(async (collections) => {
			const forgotten = await collections.state.findOne({ _id: 'forgotten' }, MAX_TIME);
			const found = await collections.rollUps
				.find(
					{ ...roomOf(of), start: { $gte: forgotten?.before ?? 0 } },
					{ ...MAX_TIME, projection: { _id: 0, start: 1 } },
				)
				.toArray();
			const room = [of.buildingId, of.roomId, of.metric];
			if (found.length > 0)
				await markStale(
					collections,
					found.map(({ start }) => ({ room, start })),
					{},
				);
		});
	}

	/** Hides forgotten measurements; the server removes them by itself at some later time. */
	async forget(now: number): Promise<void> {
		const before = Math.max(0, periodOf(now - this.#retention.readingsMs));
		await this.#in(async ({ stale, rollUps, state }) => {
			await state.updateOne({ _id: 'forgotten' }, { $max: { before } }, { ...MAX_TIME, upsert: true });
			await stale.deleteMany({ start: { $lt: before } }, MAX_TIME);
			await rollUps.deleteMany({ start: { $lt: now - this.#retention.rollUpsMs } }, MAX_TIME);
		});
	}

	removeBuilding(buildingId: string, room?: string): Promise<void> {
		return this.#in(async ({ measurements, latest, stale, rollUps }) => {
			const building = { $eq: buildingId };
			const place = { building, ...(room !== undefined && { room: { $eq: room } }) };
			await stale.deleteMany(place, MAX_TIME);
			await latest.deleteMany(place, MAX_TIME);
			await rollUps.deleteMany(place, MAX_TIME);
			const measured = { 'm.building': building, ...(room !== undefined && { 'm.room': { $eq: room } }) };
			await measurements.deleteMany(measured, MAX_TIME);
		});
	}

	#in<T>(work: (collections: ReadingCollections) => Promise<T>): Promise<T> {
		return this.#access.run((database) => work(readingCollections(database, this.#store)));
	}
}

/** Matches periods to which no batch may still be adding samples. */
const settled = () => ({ pending: { $not: { $elemMatch: { at: { $gt: new Date(Date.now() - UNSETTLED_MS) } } } } });

const roomOf = ({ buildingId, roomId, metric }: RoomMetric) => ({ building: buildingId, room: roomId, metric });

const momentAt = (at: number): Date => new Date(Math.ceil(Math.max(-LAST_MOMENT, Math.min(LAST_MOMENT, at))));

/** The earliest samples, each once, however often it is stored. */
async function firstSamples(
	measurements: mongo.Collection<Measurement>,
	{ buildingId, roomId, metric, sensorId }: RoomMetric & { sensorId?: string },
	{ from, to }: TimeRange,
	limit: number,
): Promise<Sample[]> {
	for (let max = limit; ; max = limit * 2) {
		const found = await measurements
			.find(
				{
					'm.building': buildingId,
					'm.room': roomId,
					'm.metric': metric,
					...(sensorId !== undefined && { 'm.sensor': sensorId }),
					t: { $gte: momentAt(from), $lt: momentAt(to) },
				},
				{ ...MAX_TIME, batchSize: BATCH },
			)
			.sort({ t: 1, 'm.sensor': 1, _id: 1 })
			.limit(max)
			.toArray();
		const once = found.filter(({ _id, m, t }, n) => {
			const before = found[n - 1];
			return _id !== before?._id || m.sensor !== before.m.sensor || t.getTime() !== before.t.getTime();
		});
		if (once.length >= limit || found.length < max || max > limit) {
			return once.slice(0, limit).map(sampleOf);
		}
	}
}

const sampleOf = ({ m, t, v, f, c }: Measurement): Sample => ({
	...{ sensorId: m.sensor, observedAt: t.getTime(), value: v },
	...(f !== undefined && { freshFor: f }),
	...(c && { clipped: c }),
});
