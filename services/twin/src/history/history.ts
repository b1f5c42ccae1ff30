import { type Aggregate, type HistoryPoint, type MetricLookup, STREAMS } from '@crowdvision/contracts';
import { type Readings, ROLL_UP_MS, type RoomMetric } from '@crowdvision/store';
import { type PastRule, pastRule } from './counters.ts';
import { type HistoryQuery, refused } from './history-query.ts';
import { tallySamples } from './roll-up.ts';
import type { Window } from './step-function.ts';
import { addTally, emptyTally, hasValue, type Tally, tallyOf } from './tally.ts';

/** Quarter-hours of rooms that one request may read; one that is read from samples counts 100-fold. */
const MAX_WORK = 1_000_000;
const SAMPLES_WORK = 100;

/** One bucket over all rooms. */
interface Total extends Tally {
	/** Number of rooms with a value. */
	rooms: number;
	/** Sums over those rooms: of their averages, and of their last values. */
	averages: number;
	lasts: number;
}

/**
 * Computes one point per bucket. Averages are weighted by time. An unknown value is null; `count` is 0 then.
 *
 * `avg` is the average over all rooms and moments with a value; `sum` adds up the averages of the rooms, as in the
 * number of people in a building (for one room it equals its average); `min` and `max` are the extremes of any room;
 * `last` is the mean of the rooms' last values; `count` is the number of samples. A flow metric counts events and has
 * no value between samples: `sum` is the total of events, and `avg` the mean of the samples.
 *
 * Coverage is the share of the bucket, over all rooms asked for, for which a value was known. Time outside the range
 * asked for and time in the future count as unknown. `incomplete` is the share for which a sum lacked silent counters.
 * @param now epoch ms
 * @throws CrowdVisionError `invalid` when the query would read too much
 */
export async function history(
	readings: Readings,
	query: HistoryQuery,
	now: number,
	catalog: MetricLookup,
): Promise<HistoryPoint[]> {
	const { buildingId, metric, sensorId, buckets, aggregate } = query;
	const windows = buckets.map(({ start, end }) => ({
		start: Math.max(start, query.from),
		end: Math.min(end, query.to, now),
	}));
	const { latest } = await readings.latest(STREAMS.telemetry, buildingId);
	const measured = new Set(
		latest
			.filter((sensor) => sensor.metric === metric && (sensorId === undefined || sensor.sensorId === sensorId))
			.map(({ roomId }) => roomId),
	);
	const rooms = query.roomIds.filter((roomId) => measured.has(roomId));
	requireAffordable(rooms.length, windows);

	const isFlow = catalog.describe(metric).kind === 'flow';
	const totals = buckets.map((): Total => ({ ...emptyTally(), rooms: 0, averages: 0, lasts: 0 }));
	for (const roomId of rooms) {
		const of = { buildingId, roomId, metric, ...(sensorId !== undefined && { sensorId }) };
		const combine = sensorId === undefined ? query.combine?.[roomId] : undefined;
		const rule = await pastRule(readings, of, combine, catalog, latest);
		const tallies = await roomTallies(readings, of, windows, { catalog, rule });
		for (const [n, tally] of tallies.entries()) addRoom(totals[n]!, tally);
	}
	const asked = sensorId === undefined ? query.roomIds.length : Math.max(1, rooms.length);
	return buckets.map(({ start, end }, n) => {
		const total = totals[n]!;
		const share = (ms: number) => Math.min(1, ms / ((end - start) * asked));
		return {
			at: start,
			value: pointValue(aggregate, total, isFlow),
			coverage: share(total.knownMs),
			...(total.incompleteMs > 0 && { incomplete: share(total.incompleteMs) }),
			...(total.clipped && { clipped: true as const }),
		};
	});
}

/**
 * Summarizes a metric of a room per window: from roll-ups for periods that lie in a window and are up to date, from
 * samples elsewhere. Both give the same result.
 */
async function roomTallies(
	readings: Readings,
	of: RoomMetric & { sensorId?: string },
	windows: readonly Window[],
	{ catalog, rule }: { catalog: MetricLookup; rule: PastRule },
): Promise<Tally[]> {
	const isFlow = catalog.describe(of.metric).kind === 'flow';
	const tallies = windows.map(emptyTally);
	const range = { from: windows[0]!.start, to: windows.at(-1)!.end };
	const usesRollUps = windows.some((window) => firstPeriod(window) + ROLL_UP_MS <= window.end);
	// Stale periods first: one that is rolled up between the two reads is then read from samples, not missed.
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
	for (const [n, tally] of (await tallySamples(readings, of, rest, catalog, rule)).entries())
		addTally(tallies[restOf[n]!]!, tally);
	return tallies;
}

/** Start of the first period that begins in the window. */
const firstPeriod = ({ start }: Window): number => Math.ceil(start / ROLL_UP_MS) * ROLL_UP_MS;

/** @throws CrowdVisionError `invalid` for a query that would keep other requests waiting */
function requireAffordable(rooms: number, windows: readonly Window[]): void {
	const periods = (windows.at(-1)!.end - windows[0]!.start) / ROLL_UP_MS;
	const short = windows.some(({ start, end }) => end - start >= ROLL_UP_MS) ? 1 : SAMPLES_WORK;
	if (rooms * periods * short <= MAX_WORK) return;
	throw refused(
		'from',
		`is too early for ${rooms} ${rooms === 1 ? 'room' : 'rooms'}: ` +
			'ask for a shorter range, longer buckets or one room',
	);
}

function addRoom(total: Total, tally: Tally): void {
	addTally(total, tally);
	if (!hasValue(tally)) return;
	total.rooms++;
	total.lasts += tally.last;
	if (tally.knownMs > 0) total.averages += tally.weighted / tally.knownMs;
}

function pointValue(aggregate: Aggregate, total: Total, isFlow: boolean): number | null {
	if (aggregate === 'count') return total.count;
	if (isFlow && aggregate === 'sum') return total.knownMs > 0 || total.count > 0 ? total.weighted : null;
	if (!hasValue(total)) return null;
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
