import { randomUUID } from 'node:crypto';
import { CrowdVisionError, type MetricKey, type Transport } from '@crowdvision/contracts';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import { type mongo, Types } from 'mongoose';
import {
	type Intake,
	intakeOf,
	type KnownSeries,
	keyOf,
	momentOf,
	periodOf,
	placeOf,
} from '../sqlite/sqlite-intake.ts';
import type { InsertOptions, PlacedReading, RoomMetric } from '../store.ts';
import { isDuplicate } from './mongo-errors.ts';
import { MAX_TIME } from './mongo-link.ts';
import {
	type LatestDocument,
	type Measurement,
	periodId,
	type ReadingCollections,
	type StaleDocument,
} from './mongo-series.ts';

/**
 * A batch that was about to add samples to a period and has not said that it is done may still do so for so long: far
 * longer than any request to the server lasts.
 */
export const UNSETTLED_MS = 10 * 60_000;
/** Batches of a period that broke off, of which each leaves a trace until UNSETTLED_MS has passed. */
const MOST_PENDING = 16;
const MOST_TRIES = 8;
/** Stored readings are looked for within so long at once. */
const WINDOW_MS = 60 * 60_000;
const UNORDERED = { ...MAX_TIME, ordered: false };

/**
 * Takes in one batch. Time series know neither transactions nor unique ids in MongoDB, so the steps are in such an
 * order that a crash between any two is mended by the same batch coming again, as it does until this has resolved:
 *
 *   mark its periods stale ─▶ add samples ─▶ latest ─▶ settle the marks ─▶ progress
 *
 * A sample newer than its series' latest is not there yet, unless a batch broke off in its period: then the mark is
 * unsettled. Only where one could be there it is looked for. Two processes that take in the same batch at the same time
 * may both add a sample: readers see it once.
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
		await markStale(collections, periods, { $push: { pending: { $each: [mark], $slice: -MOST_PENDING } } });
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
	return {
		_id: placed.reading.id,
		t: new Date(momentOf(placed)),
		m: { building, room, metric, sensor },
		v: placed.reading.value,
	};
};

const roomOf = ([buildingId, roomId, metric]: readonly string[]): RoomMetric => ({
	buildingId: buildingId!,
	roomId: roomId!,
	metric: metric as MetricKey,
});

async function markStale(
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
	for (let attempt = 1; ; attempt++) {
		try {
			await stale.bulkWrite(operations, UNORDERED);
			return;
		} catch (error) {
			// Two that mark the same new period at once: MongoDB lets one of them try again, which does no harm.
			if (!isDuplicate(error) || attempt === MOST_TRIES) throw error;
		}
	}
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

/** Of the periods that the batch is observed in, those in which another has not said yet that it is done. */
async function unsettledOf({ stale }: ReadingCollections, batch: readonly PlacedReading[]): Promise<Set<string>> {
	const ids = [...new Set(batch.map(ownPeriod))];
	const found = await stale
		.find({ _id: { $in: ids }, 'pending.0': { $exists: true } }, { ...MAX_TIME, projection: { _id: 1 } })
		.toArray();
	return new Set(found.map(({ _id }) => _id));
}

/** Which of the batch, by index, are stored. */
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

/** Writes what changed since it was `known`, and finds it anew where somebody else was faster. */
async function keepLatest(
	collections: ReadingCollections,
	batch: readonly PlacedReading[],
	found: Intake['latest'],
	known: ReadonlyMap<string, LatestDocument>,
	options: InsertOptions,
): Promise<void> {
	const all = new Set(batch.keys());
	let changes = found;
	let before = known;
	for (let attempt = 0; changes.length > 0 && !(await writeLatest(collections, changes, before)); attempt++) {
		if (attempt === MOST_TRIES)
			throw new CrowdVisionError('unavailable', 'The database has too many changes of the same thing', {}, 1);
		await pause(backOff(attempt, 5, 200));
		before = await knownOf(collections, batch);
		changes = intakeOf(batch, before, all, 0, options).latest;
	}
}

/** False where one of them was changed by somebody else since it was read. */
async function writeLatest(
	{ latest }: ReadingCollections,
	changes: Intake['latest'],
	known: ReadonlyMap<string, LatestDocument>,
): Promise<boolean> {
	const operations = changes.map(({ place, says }): mongo.AnyBulkWriteOperation<LatestDocument> => {
		const [building, room, metric, sensor] = place as [string, string, MetricKey, string];
		const { value, observedAt, position, unchangedSince } = says;
		const interval =
			typeof says.low === 'number' && typeof says.high === 'number' ? { low: says.low, high: says.high } : {};
		const transport = says.transport as Transport;
		const document = {
			building,
			room,
			metric,
			sensor,
			value,
			...interval,
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
