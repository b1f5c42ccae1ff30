import {
	type CombinedView,
	type Freshness,
	isCurrent,
	isIncomplete,
	type MetricsResponse,
	type Occupancy,
	occupancy,
	type Room,
	type Transport,
} from '@crowdvision/contracts';
import { combine, newestOf, type RoomSamples } from '../live/samples.ts';

/** The status of a room: how full it is, or why that is unknown; `incomplete`: some of its counters are silent. */
export type RoomStatus = Occupancy | 'incomplete' | 'stale' | 'offline' | 'no-data';

/** One metric of a room at one moment. */
export interface MetricView {
	key: string;
	value: number;
	/** Some value that it is made of is the upper limit, of which its sensor sent a little more. */
	clipped?: true;
	/** Bounds of the true value; only for a count derived from door crossings. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	freshness: Exclude<Freshness, 'no-data'>;
	/** Where the room says how its counters are combined. */
	combined?: CombinedView;
}

/** The metrics that the dashboard shows of every room. */
export interface Columns {
	/** In the order shown. */
	keys: readonly string[];
	/** True if somebody chose them; false if they are all metrics of the catalog. */
	chosen: boolean;
	/** The catalog that says how the sensors of a room are combined. Default: the one this page was built with. */
	catalog?: MetricsResponse['metrics'];
}

/** Everything a room's card shows, at one moment. */
export interface RoomView {
	status: RoomStatus;
	/** Undefined while no count was ever received: unknown is not 0. */
	people: MetricView | undefined;
	/** Freshness of the people count; in a room without a count, the best freshness among its other metrics. */
	freshness: Freshness;
	/** All other metrics with a value, in the order of the columns. */
	metrics: MetricView[];
	/** Chosen columns without any value in this room. */
	missing: string[];
	/** The transports over which the live values arrived. */
	transports: Transport[];
	/** When the newest of all values was observed, epoch ms. */
	latestAt: number | undefined;
	/** What the doors count, which can be corrected; undefined without doors. */
	doors: number | undefined;
}

const PEOPLE = 'peopleCount';

/**
 * The view of a room at `now` (epoch ms): its chosen columns, or, without a choice, every metric with a value; those
 * not among the columns come last.
 */
export function roomView(
	room: Pick<Room, 'capacity' | 'combine'>,
	samples: RoomSamples,
	{ keys, chosen, catalog }: Columns,
	now: number,
): RoomView {
	const others = chosen ? [] : Object.keys(samples).filter((key) => !keys.includes(key));
	const metrics: MetricView[] = [];
	const transports = new Set<Transport>();
	let people: MetricView | undefined;
	let latestAt: number | undefined;
	// The people count is always shown, whatever the columns are.
	for (const key of new Set([PEOPLE, ...keys, ...others.sort()])) {
		const combined = combine(key, samples[key], now, catalog, room.combine);
		if (!combined) continue;
		const { live, freshUntil: _until, ...value } = combined;
		for (const { transport } of live) if (transport) transports.add(transport);
		latestAt = Math.max(latestAt ?? 0, value.observedAt);
		if (key === PEOPLE) people = { key, ...value };
		else metrics.push({ key, ...value });
	}
	const freshnesses = people ? [people.freshness] : metrics.map((metric) => metric.freshness);
	const freshness = BEST_FIRST.find((candidate) => freshnesses.includes(candidate)) ?? 'no-data';
	const missing = chosen ? keys.filter((key) => key !== PEOPLE && !samples[key]) : [];
	return {
		status: statusOf(people, room.capacity),
		freshness,
		people,
		metrics,
		missing,
		transports: [...transports].sort(),
		latestAt,
		doors: samples[PEOPLE] && newestOf(samples[PEOPLE].sensors.filter(({ low }) => low !== undefined))?.value,
	};
}

function statusOf(people: MetricView | undefined, capacity: number): RoomStatus {
	if (!people) return 'no-data';
	const { freshness, value } = people;
	if (freshness === 'stale' || freshness === 'offline') return freshness;
	const status = occupancy(value, capacity);
	// More people than the room holds are certain; anything below is only what the other counters see.
	return isIncomplete(people) && status !== 'overcrowded' ? 'incomplete' : status;
}

const BEST_FIRST = ['live', 'stuck', 'stale', 'offline'] as const;

/**
 * The totals of a building. Only rooms with a current count add to `people` and `counted`; a room without one is
 * unknown, not 0.
 */
export interface BuildingSummaryView {
	people: number;
	counted: number;
	rooms: number;
	/** Rooms whose count lacks silent counters: there may be more people than `people`. */
	incomplete: number;
	statuses: Readonly<Record<RoomStatus, number>>;
	/** Rooms with a stuck value: one that has stayed the same for longer than its metric ever does. */
	stuck: number;
}

/** Adds up the views of a building's rooms. */
export function summarize(views: Iterable<RoomView>): BuildingSummaryView {
	const statuses: Record<RoomStatus, number> = {
		empty: 0,
		normal: 0,
		crowded: 0,
		full: 0,
		overcrowded: 0,
		incomplete: 0,
		stale: 0,
		offline: 0,
		'no-data': 0,
	};
	let people = 0;
	let counted = 0;
	let rooms = 0;
	let stuck = 0;
	let incomplete = 0;
	for (const view of views) {
		rooms += 1;
		statuses[view.status] += 1;
		if ([view.people, ...view.metrics].some((value) => value?.freshness === 'stuck')) stuck += 1;
		if (view.people && isCurrent(view.people.freshness)) {
			counted += 1;
			people += view.people.value;
			if (isIncomplete(view.people)) incomplete += 1;
		}
	}
	return { people, counted, rooms, incomplete, statuses, stuck };
}
