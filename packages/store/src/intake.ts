/** What a batch of readings changes in a store, on both engines. */
import { freshMs, holdMs as heldFor, type Reading, momentOf as timeOf } from '@crowdvision/contracts';
import { type InsertOptions, type PlacedReading, ROLL_UP_MS } from './store.ts';

/** The latest value of a series before a batch. */
export interface KnownSeries {
	observedAt: number;
	position: string;
	value: number;
	unchangedSince: number;
	transport: string;
	/** Bounds of a count that is made of crossings. */
	low?: number | null;
	high?: number | null;
	/** How long the value counts as current, in ms. */
	freshFor?: number | null;
	/** How people call the sensor. */
	sensorName?: string | null;
	/** Whether the value is the upper limit, of which the sensor sent a little more. In SQLite 1. */
	clipped?: true | number | null;
}

/** The changes that a batch causes, computed in memory. */
export interface Intake {
	/** Series that must exist, as building, room, metric and sensor; an empty sensor is the room's own series. */
	series: string[][];
	/** Readings that are not stored yet. */
	fresh: PlacedReading[];
	/** The latest value of each series where the batch changes it. */
	latest: { place: string[]; value: KnownSeries }[];
	/** Periods that the fresh readings make stale. */
	stale: { room: string[]; start: number }[];
}

export const placeOf = ({ reading }: PlacedReading): string[] => [
	reading.buildingId,
	reading.roomId,
	reading.metric,
	reading.sensorId,
];
/** The parts of a place, joined by a character that none of them may contain. */
export const keyOf = (place: readonly string[]): string => place.join('\n');
export const momentOf = ({ reading }: PlacedReading): number => Math.round(timeOf(reading));
/** How long a value holds, in ms, where that is longer than values of its metric usually do. */
export function longHoldOf({ metric, freshFor }: Pick<Reading, 'metric' | 'freshFor'>): number | undefined {
	const held = heldFor(metric, freshFor);
	return held > freshMs(metric) ? held : undefined;
}
export const periodOf = (at: number): number => Math.floor(at / ROLL_UP_MS) * ROLL_UP_MS;

/**
 * Computes what a batch changes. `stored` holds the indexes of the readings that are stored already. Readings observed
 * before `forgotten` are not stored; they only count for the latest value.
 */
export function intakeOf(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
	stored: ReadonlySet<number>,
	forgotten: number,
	{ holdMs, after }: InsertOptions,
): Intake {
	const series = new Map<string, string[]>();
	const ids = new Set<string>();
	const fresh: PlacedReading[] = [];
	const stale = new Map<string, { room: string[]; start: number }>();
	const longest = longestHolds(batch, known);
	for (const [index, placed] of batch.entries()) {
		const place = placeOf(placed);
		const room = [...place.slice(0, 3), ''];
		const at = momentOf(placed);
		if (!known.has(keyOf(place))) for (const one of [place, room]) series.set(keyOf(one), one);
		const id = keyOf([...place, String(at), placed.reading.id]);
		if (stored.has(index) || ids.has(id) || at < forgotten) continue;
		ids.add(id);
		fresh.push(placed);
		// A value holds up to the end of its time, which is excluded.
		const end = at + Math.max(holdMs, longest.get(keyOf(place)) ?? 0);
		for (let start = periodOf(at); start === periodOf(at) || start < end; start += ROLL_UP_MS) {
			stale.set(keyOf([...room, String(start)]), { room, start });
		}
	}
	return { series: [...series.values()], fresh, latest: latestOf(batch, known, after), stale: [...stale.values()] };
}

/** How long the values of each series hold that hold for longer than usual: a new one ends the value before it. */
function longestHolds(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
): ReadonlyMap<string, number> {
	const holds = new Map<string, number>();
	for (const placed of batch) {
		const key = keyOf(placeOf(placed));
		const { metric } = placed.reading;
		const before = holds.get(key) ?? longHoldOf({ metric, freshFor: known.get(key)?.freshFor ?? 0 }) ?? 0;
		holds.set(key, Math.max(before, longHoldOf(placed.reading) ?? 0));
	}
	return holds;
}

/**
 * Per series the newest reading of the batch, by time of observation and then by position in the stream, where it is
 * newer than the known one.
 */
function latestOf(
	batch: readonly PlacedReading[],
	known: ReadonlyMap<string, KnownSeries>,
	after: InsertOptions['after'],
): Intake['latest'] {
	const changed: Intake['latest'] = [];
	for (const [key, ofSeries] of Map.groupBy(batch, (placed) => keyOf(placeOf(placed)))) {
		const before = known.get(key);
		let latest = before;
		for (const placed of inOrder(ofSeries, after)) {
			const at = momentOf(placed);
			const { value, transport, interval, freshFor, sensorName, clipped } = placed.reading;
			if (!latest || isNewer(placed, latest, after)) {
				const since = latest?.value === value ? Math.min(latest.unchangedSince, at) : at;
				latest = {
					...{ observedAt: at, position: placed.position, value, ...interval, transport, unchangedSince: since },
					...(freshFor !== undefined && { freshFor }),
					...(sensorName !== undefined && { sensorName }),
					...(clipped && { clipped }),
				};
			} else if (value !== latest.value && at > latest.unchangedSince) {
				// A late reading with another value in between. The time of the change back to this value is not looked up.
				latest = { ...latest, unchangedSince: latest.observedAt };
			}
		}
		if (latest && latest !== before) changed.push({ place: placeOf(ofSeries[0]!), value: latest });
	}
	return changed;
}

/**
 * Whether a reading is newer than the latest known: by its time, then by its position. One that an earlier version kept
 * with a time ahead of its receipt does not outrank what was received after it.
 */
function isNewer(placed: PlacedReading, latest: KnownSeries, after: InsertOptions['after']): boolean {
	const at = momentOf(placed);
	if (at > latest.observedAt) return true;
	const isAhead = latest.observedAt > placed.reading.receivedAt;
	return (at === latest.observedAt || isAhead) && after(placed.position, latest.position);
}

function inOrder(batch: readonly PlacedReading[], after: InsertOptions['after']): PlacedReading[] {
	const byPosition = (a: string, b: string) => (a === b ? 0 : after(a, b) ? 1 : -1);
	return [...batch].sort((a, b) => momentOf(a) - momentOf(b) || byPosition(a.position, b.position));
}
