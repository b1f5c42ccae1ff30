/** Stores a batch of readings in MongoDB exactly once, in steps that may be repeated. */
import { randomUUID } from 'node:crypto';
import { CrowdVisionError, type Transport } from '@crowdvision/contracts';
import { keepTrying } from '@crowdvision/service-kit/retry';
import { type mongo, Types } from 'mongoose';
import { type Intake, intakeOf, type KnownSeries, keyOf, longHoldOf, momentOf, periodOf, placeOf } from '../intake.ts';
import type { InsertOptions, PlacedReading, RoomMetric } from '../store.ts';
import { isDuplicate } from './errors.ts';
import { MAX_TIME } from './link.ts';
import {
	type LatestDocument,
	type Measurement,
	periodId,
	type ReadingCollections,
	type StaleDocument,
} from './series.ts';

/**
 * How long a batch that began to add samples to a period, and has not reported that it finished, may still do so; far
 * longer than any request to the server takes.
 */
export const UNSETTLED_MS = 10 * 60_000;
/** Interrupted batches that a period remembers, each until UNSETTLED_MS has passed. */
const MAX_PENDING = 16;
const MAX_TRIES = 8;
/** The longest time range searched for stored readings in one request. */
const WINDOW_MS = 60 * 60_000;
const UNORDERED = { ...MAX_TIME, ordered: false };

/**
 * Stores one batch. Time-series collections have neither transactions nor unique ids, so the steps are ordered such
 * that after a crash between any two of them the same batch, which comes again until this has resolved, completes them:
 *
 *   mark its periods stale ─▶ add samples ─▶ latest ─▶ settle the marks ─▶ progress
 *
 * A sample newer than the latest of its series cannot be stored yet, unless a batch was interrupted in its period,
 * which the unsettled mark shows. Only samples that may be stored are searched for. Two processes that store the same
 * batch at the same time may both add a sample: readers see it once.
 */
export async function takeIn(
	collections: ReadingCollections,
	batch: readonly PlacedReading[],
	progress: { stream: string; position: string },
	options: InsertOptions,
): Promise<void> {
	const { measurements, state } = collections;
	const [known, unsettled, forgotten] = await Promise.all([
		knownOf(collections, batch),
		unsettledOf(collections, batch),
		state.findOne({ _id: 'forgotten' }, MAX_TIME),
	]);
	const stored = await storedOf(collections, batch, known, unsettled);
	const { fresh, latest, stale: periods } = intakeOf(batch, known, stored, forgotten?.before ?? 0, options);
	const mark = { batch: randomUUID(), at: new Date() };
	if (fresh.length > 0) {
		await markStale(collections, periods, { $push: { pending: { $each: [mark], $slice: -MAX_PENDING } } });
		await measurements.insertMany(fresh.map(measurementOf), UNORDERED);
	}
	await keepLatest(collections, batch, latest, known, options);
	if (fresh.length > 0) {
		await markStale(collections, periods, { $pull: { pending: { batch: mark.batch } } });
	}
	await state.updateOne(
		{ _id: `stream ${progress.stream}` },
		{ $set: { position: progress.position } },
		{ ...MAX_TIME, upsert: true },
	);
}

const measurementOf = (placed: PlacedReading): Measurement => {
	const [building, room, metric, sensor] = placeOf(placed) as [string, string, string, string];
	const f = longHoldOf(placed.reading);
	return {
		_id: placed.reading.id,
		t: new Date(momentOf(placed)),
		m: { building, room, metric, sensor },
		v: placed.reading.value,
		...(f !== undefined && { f }),
		...(placed.reading.clipped && { c: true as const }),
	};
};

const roomOf = ([buildingId, roomId, metric]: readonly string[]): RoomMetric => ({
	buildingId: buildingId!,
	roomId: roomId!,
	metric: metric!,
});

/** Marks periods as stale, with a new token, and changes their marks. */
export async function markStale(
	{ stale }: ReadingCollections,
	periods: Intake['stale'],
	change: mongo.UpdateFilter<StaleDocument>,
): Promise<void> {
	const operations = periods.map(({ room: place, start }) => {
		const { buildingId: building, roomId: room, metric } = roomOf(place);
		const update = {
			...change,
			$set: { token: randomUUID() },
			$setOnInsert: { building, room, metric, start, since: new Types.ObjectId() },
		};
		return { updateOne: { filter: { _id: periodId(roomOf(place), start) }, update, upsert: true } };
	});
	// Of two batches that mark the same new period at once, MongoDB makes one try again.
	const write = () => stale.bulkWrite(operations, UNORDERED);
	await keepTrying(write, {
		what: 'marking stale periods',
		firstMs: 1,
		longestMs: 50,
		maxTries: MAX_TRIES,
		retryIf: isDuplicate,
	});
}

async function knownOf(
	{ latest }: ReadingCollections,
	batch: readonly PlacedReading[],
): Promise<Map<string, LatestDocument>> {
	const ids = [...new Set(batch.map((placed) => placeOf(placed).join('/')))];
	const found = await latest.find({ _id: { $in: ids } }, MAX_TIME).toArray();
	return new Map(
		found.map((document) => [keyOf([document.building, document.room, document.metric, document.sensor]), document]),
	);
}

const ownPeriod = (placed: PlacedReading) => periodId(placed.reading, periodOf(momentOf(placed)));

/** The periods of this batch to which another batch may still be adding samples. */
async function unsettledOf({ stale }: ReadingCollections, batch: readonly PlacedReading[]): Promise<Set<string>> {
	const ids = [...new Set(batch.map(ownPeriod))];
	const found = await stale
		.find({ _id: { $in: ids }, 'pending.0': { $exists: true } }, { ...MAX_TIME, projection: { _id: 1 } })
		.toArray();
	return new Set(found.map(({ _id }) => _id));
}

/** The indexes of the readings of this batch that are stored. */
async function storedOf(
	{ measurements }: ReadingCollections,
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
	unsettled: ReadonlySet<string>,
): Promise<Set<number>> {
	const doubtful = [...batch.entries()]
		.filter(
			([, placed]) =>
				momentOf(placed) <= (known.get(keyOf(placeOf(placed)))?.observedAt ?? Number.NEGATIVE_INFINITY) ||
				unsettled.has(ownPeriod(placed)),
		)
		.sort(([, a], [, b]) => momentOf(a) - momentOf(b));
	const stored = new Set<number>();
	for (let first = 0; first < doubtful.length; ) {
		const from = momentOf(doubtful[first]![1]);
		const beyond = doubtful.findIndex(([, placed]) => momentOf(placed) > from + WINDOW_MS);
		const window = doubtful.slice(first, beyond < 0 ? undefined : beyond);
		const of = (pick: (place: string[]) => string) => ({
			$in: [...new Set(window.map(([, placed]) => pick(placeOf(placed))))],
		});
		const found = await measurements
			.find(
				{
					'm.building': of(([building]) => building!),
					'm.room': of(([, room]) => room!),
					'm.metric': of(([, , metric]) => metric!),
					'm.sensor': of(([, , , sensor]) => sensor!),
					t: { $gte: new Date(from), $lte: new Date(momentOf(window.at(-1)![1])) },
					_id: { $in: window.map(([, { reading }]) => reading.id) },
				},
				MAX_TIME,
			)
			.toArray();
		const present = new Set(
			found.map(({ _id, t, m }) => keyOf([m.building, m.room, m.metric, m.sensor, String(t.getTime()), _id])),
		);
		for (const [index, placed] of window) {
			if (present.has(keyOf([...placeOf(placed), String(momentOf(placed)), placed.reading.id]))) stored.add(index);
		}
		first += window.length;
	}
	return stored;
}

/**
 * Writes the latest values that changed since they were `known`; computes them again where another process was faster.
 */
async function keepLatest(
	collections: ReadingCollections,
	batch: readonly PlacedReading[],
	found: Intake['latest'],
	known: ReadonlyMap<string, LatestDocument>,
	options: InsertOptions,
): Promise<void> {
	const all = new Set(batch.keys());
	const outrun = new CrowdVisionError('unavailable', 'The database has too many changes of the same document', {}, 1);
	const write = async (attempt: number) => {
		const before = attempt === 0 ? known : await knownOf(collections, batch);
		const changes = attempt === 0 ? found : intakeOf(batch, before, all, 0, options).latest;
		if (changes.length > 0 && !(await writeLatest(collections, changes, before))) throw outrun;
	};
	await keepTrying(write, {
		what: 'writing the latest values',
		firstMs: 5,
		longestMs: 200,
		maxTries: MAX_TRIES + 1,
		retryIf: (error) => error === outrun,
	});
}

/** Resolves with false where another process changed one of them since it was read. */
async function writeLatest(
	{ latest }: ReadingCollections,
	changes: Intake['latest'],
	known: ReadonlyMap<string, LatestDocument>,
): Promise<boolean> {
	const operations = changes.map(({ place, value: latestValue }): mongo.AnyBulkWriteOperation<LatestDocument> => {
		const [building, room, metric, sensor] = place as [string, string, string, string];
		const { value, observedAt, position, unchangedSince } = latestValue;
		const interval =
			typeof latestValue.low === 'number' && typeof latestValue.high === 'number'
				? { low: latestValue.low, high: latestValue.high }
				: {};
		const { freshFor, sensorName, clipped } = latestValue;
		const transport = latestValue.transport as Transport;
		const document = {
			building,
			room,
			metric,
			sensor,
			value,
			...interval,
			...(typeof freshFor === 'number' && { freshFor }),
			...(typeof sensorName === 'string' && { sensorName }),
			...(clipped && { clipped: true as const }),
			observedAt,
			transport,
			position,
			unchangedSince,
			change: randomUUID(),
		};
		const before = known.get(keyOf(place));
		const _id = place.join('/');
		return before
			? { replaceOne: { filter: { _id, change: before.change }, replacement: document } }
			: { insertOne: { document: { _id, ...document } } };
	});
	try {
		const done = await latest.bulkWrite(operations, UNORDERED);
		return done.matchedCount + done.insertedCount === operations.length;
	} catch (error) {
		if (isDuplicate(error)) return false;
		throw error;
	}
}
