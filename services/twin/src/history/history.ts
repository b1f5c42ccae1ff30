import { type HistoryPoint, METRICS, type MetricDefinition, STREAMS } from '@crowdvision/contracts';
import { type Readings, ROLL_UP_MS, type RoomMetric } from '@crowdvision/store';
import { type Aggregate, type HistoryQuery, refused } from './history-query.ts';
import { tallySamples } from './roll-up.ts';
import type { Window } from './step-function.ts';
import { addTally, emptyTally, saysSomething, type Tally, tallyOf } from './tally.ts';

/** Periods that one request may have summed up; one read from samples counts as many. */
const MOST_WORK = 1_000_000;
const SAMPLES_WORK = 100;

/** Of one bucket, over rooms. */
interface Total extends Tally {
	/** Rooms of which a value is known. */
	rooms: number;
	/** Sums over those rooms: of each room's average, and of what each said last. */
	averages: number;
	lasts: number;
}

/**
 * One point per bucket. Averages are weighted by time; unknown is null, and a count of 0.
 *
 * Of one room (or one sensor of it), `sum` is its average. Of several rooms, `sum` adds up their averages: so many
 * people were in the building;
 * `avg` is the average over all rooms and moments that are known, `min` and `max` are the extremes of any room, `last`
 * is the mean of what the rooms said last, `count` counts samples. A metric that counts events (`kind: 'flow'`) has no
 * value in between: `sum` is the total of events, `avg` the mean of the messages.
 *
 * Coverage is the share of the bucket (and of the rooms asked for) of which a value was known; what is not in the range
 * asked for, or not past yet, is not known.
 */
export async function history(readings: Readings, query: HistoryQuery, now: number): Promise<HistoryPoint[]> {
	const { buildingId, metric, sensorId, buckets, aggregate } = query;
	const windows = buckets.map(({ start, end }) => ({
		start: Math.max(start, query.from),
		end: Math.min(end, query.to, now),
	}));
	const { latest } = await readings.latest(STREAMS.telemetry, buildingId);
	const measured = new Set(
		latest
			.filter((one) => one.metric === metric && (sensorId === undefined || one.sensorId === sensorId))
			.map(({ roomId }) => roomId),
	);
	const rooms = query.roomIds.filter((roomId) => measured.has(roomId));
	requireBearable(rooms.length, windows);

	const isFlow = (METRICS[metric] as MetricDefinition).kind === 'flow';
	const totals = buckets.map((): Total => ({ ...emptyTally(), rooms: 0, averages: 0, lasts: 0 }));
	for (const roomId of rooms) {
		const of = { buildingId, roomId, metric, ...(sensorId !== undefined && { sensorId }) };
		const tallies = await roomTallies(readings, of, windows, isFlow);
		for (const [n, tally] of tallies.entries()) addRoom(totals[n]!, tally);
	}
	const asked = sensorId === undefined ? query.roomIds.length : Math.max(1, rooms.length);
	return buckets.map(({ start, end }, n) => ({
		at: start,
		value: pointValue(aggregate, totals[n]!, isFlow),
		coverage: Math.min(1, totals[n]!.knownMs / ((end - start) * asked)),
	}));
}

/**
 * What a metric of a room was within each window: from roll-ups where a whole period lies in a window and its roll-ups
 * tell all of it, from samples elsewhere. The two give the same.
 */
async function roomTallies(
	readings: Readings,
	of: RoomMetric & { sensorId?: string },
	windows: readonly Window[],
	isFlow: boolean,
): Promise<Tally[]> {
	const tallies = windows.map(emptyTally);
	const range = { from: windows[0]!.start, to: windows.at(-1)!.end };
	const usesRollUps = windows.some((window) => firstPeriod(window) + ROLL_UP_MS <= window.end);
	// In this order: a period that is rolled up in between is then read from its samples, and not from nothing.
	const stale = new Set(
		usesRollUps ? await readings.stalePeriods(of, { from: range.from - ROLL_UP_MS, to: range.to }) : [],
	);
	const rollUps = usesRollUps
		? new Map((await readings.rollUps(of, range)).map((rollUp) => [rollUp.start, rollUp]))
		: new Map();

	const rest: Window[] = [];
	const restOf: number[] = [];
	const addRest = (n: number, start: number, end: number) => {
		if (start >= end) return;
		rest.push({ start, end });
		restOf.push(n);
	};
	for (const [n, window] of windows.entries()) {
		let done = window.start;
		for (let period = firstPeriod(window); period + ROLL_UP_MS <= window.end; period += ROLL_UP_MS) {
			if (stale.has(period)) continue;
			addRest(n, done, period);
			done = period + ROLL_UP_MS;
			const rollUp = rollUps.get(period);
			if (rollUp) addTally(tallies[n]!, tallyOf(rollUp, isFlow));
		}
		addRest(n, done, window.end);
	}
	for (const [n, tally] of (await tallySamples(readings, of, rest)).entries()) addTally(tallies[restOf[n]!]!, tally);
	return tallies;
}

/** Start of the first period that does not begin before the window. */
const firstPeriod = ({ start }: Window): number => Math.ceil(start / ROLL_UP_MS) * ROLL_UP_MS;

/** @throws CrowdVisionError `invalid` for what would keep everybody else waiting. */
function requireBearable(rooms: number, windows: readonly Window[]): void {
	const periods = (windows.at(-1)!.end - windows[0]!.start) / ROLL_UP_MS;
	const short = windows.some(({ start, end }) => end - start >= ROLL_UP_MS) ? 1 : SAMPLES_WORK;
	if (rooms * periods * short <= MOST_WORK) return;
	throw refused(
		'from',
		`is too long ago for ${rooms} ${rooms === 1 ? 'room' : 'rooms'} at once; ask for a shorter range, longer buckets or one room`,
	);
}

function addRoom(total: Total, tally: Tally): void {
	addTally(total, tally);
	if (!saysSomething(tally)) return;
	total.rooms++;
	total.lasts += tally.last;
	if (tally.knownMs > 0) total.averages += tally.weighted / tally.knownMs;
}

function pointValue(aggregate: Aggregate, total: Total, isFlow: boolean): number | null {
	if (aggregate === 'count') return total.count;
	if (isFlow && aggregate === 'sum') return total.knownMs > 0 || total.count > 0 ? total.weighted : null;
	if (!saysSomething(total)) return null;
	switch (aggregate) {
		case 'avg':
			return total.weighted / (isFlow ? total.count : total.knownMs);
		case 'sum':
			return total.averages;
		case 'min':
			return total.min;
		case 'max':
			return total.max;
		case 'last':
			return total.lasts / total.rooms;
	}
}
