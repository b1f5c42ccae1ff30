import {
	type Freshness,
	isCurrent,
	type Occupancy,
	occupancy,
	type Room,
	type Transport,
} from '@crowdvision/contracts';
import { combine, type RoomSamples } from '../live/samples.ts';

/** The word on a room: how full it is, or why that is not known. */
export type RoomStatus = Occupancy | 'stale' | 'offline' | 'no-data';

export interface MetricView {
	key: string;
	value: number;
	/** Between which the truth lies, where it is a count made of crossings. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	freshness: Exclude<Freshness, 'no-data'>;
}

/** What the dashboard shows of every room, in this order; `chosen`: by somebody, and not just all there is. */
export interface Columns {
	keys: readonly string[];
	chosen: boolean;
}

/** A room as it is to be shown at one moment. */
export interface RoomView {
	status: RoomStatus;
	/** Absent while no count was ever heard: unknown is not 0. */
	people: MetricView | undefined;
	/** What the people's count is worth; where nobody counts, the best that anything else of the room is. */
	freshness: Freshness;
	/** Everything else that was heard, in the order of the columns. */
	metrics: MetricView[];
	/** Columns that somebody chose, and of which nothing was ever heard here. */
	unheard: string[];
	/** The ways the live values came in. */
	transports: Transport[];
	/** When the newest of all values was observed. */
	heardAt: number | undefined;
}

const PEOPLE = 'peopleCount';

/**
 * What to show of a room at `now`: the columns that were chosen; else all that was heard, with metrics the columns do
 * not name behind.
 */
export function roomView(
	room: Pick<Room, 'capacity'>,
	samples: RoomSamples,
	{ keys, chosen }: Columns,
	now: number,
): RoomView {
	const others = chosen ? [] : Object.keys(samples).filter((key) => !keys.includes(key));
	const metrics: MetricView[] = [];
	const transports = new Set<Transport>();
	let people: MetricView | undefined;
	let heardAt: number | undefined;
	// How full a room is, is what it is about: people are shown whatever the columns are.
	for (const key of new Set([PEOPLE, ...keys, ...others.sort()])) {
		const combined = combine(key, samples[key], now);
		if (!combined) continue;
		const { live, ...value } = combined;
		for (const { transport } of live) if (transport) transports.add(transport);
		heardAt = Math.max(heardAt ?? 0, value.observedAt);
		if (key === PEOPLE) people = { key, ...value };
		else metrics.push({ key, ...value });
	}
	const worths = people ? [people.freshness] : metrics.map((metric) => metric.freshness);
	const freshness = BEST_FIRST.find((candidate) => worths.includes(candidate)) ?? 'no-data';
	const unheard = chosen ? keys.filter((key) => key !== PEOPLE && !samples[key]) : [];
	return {
		status: statusOf(people, room.capacity),
		freshness,
		people,
		metrics,
		unheard,
		transports: [...transports].sort(),
		heardAt,
	};
}

function statusOf(people: MetricView | undefined, capacity: number): RoomStatus {
	if (!people) return 'no-data';
	const { freshness, value } = people;
	return freshness === 'stale' || freshness === 'offline' ? freshness : occupancy(value, capacity);
}

const BEST_FIRST = ['live', 'stuck', 'stale', 'offline'] as const;

/**
 * A building in one line. People are counted over rooms whose count is live; the others are told as unknown, not as 0.
 */
export interface BuildingSummaryView {
	people: number;
	counted: number;
	rooms: number;
	statuses: Readonly<Record<RoomStatus, number>>;
	/** Rooms with a value that has been the same for too long to be believed. */
	stuck: number;
}

/** Sums the rooms' views up. */
export function summarize(views: Iterable<RoomView>): BuildingSummaryView {
	const statuses: Record<RoomStatus, number> = {
		empty: 0,
		normal: 0,
		crowded: 0,
		full: 0,
		overcrowded: 0,
		stale: 0,
		offline: 0,
		'no-data': 0,
	};
	let people = 0;
	let counted = 0;
	let rooms = 0;
	let stuck = 0;
	for (const view of views) {
		rooms += 1;
		statuses[view.status] += 1;
		if ([view.people, ...view.metrics].some((value) => value?.freshness === 'stuck')) stuck += 1;
		if (view.people && isCurrent(view.people.freshness)) {
			counted += 1;
			people += view.people.value;
		}
	}
	return { people, counted, rooms, statuses, stuck };
}
