import { type Occupancy, occupancy, type Room, type Transport } from '@crowdvision/contracts';
import type { Freshness } from './freshness.ts';
import { combine, type RoomSamples } from './samples.ts';

/** The word on a room: how full it is, or why that is not known. */
export type RoomStatus = Occupancy | 'stale' | 'no-data';

export interface MetricView {
	key: string;
	value: number;
	unit: string;
	observedAt: number;
	freshness: Freshness;
}

/** A room as it is to be shown at one moment. */
export interface RoomView {
	status: RoomStatus;
	/** Absent while no count was ever heard: unknown is not 0. */
	people: MetricView | undefined;
	/** Everything else that was heard, in the catalog's order. */
	metrics: MetricView[];
	/** The ways the live values came in. */
	transports: Transport[];
	/** When the newest of all values was observed. */
	heardAt: number | undefined;
}

const PEOPLE = 'peopleCount';

/** What to show of a room at `now`, with the metrics ordered as in `catalogKeys` and those it does not know behind. */
export function roomView(room: Pick<Room, 'capacity'>, samples: RoomSamples, catalogKeys: readonly string[], now: number): RoomView {
	const unknownKeys = Object.keys(samples).filter((key) => !catalogKeys.includes(key));
	const metrics: MetricView[] = [];
	const transports = new Set<Transport>();
	let people: MetricView | undefined;
	let heardAt: number | undefined;
	for (const key of [...catalogKeys, ...unknownKeys.sort()]) {
		const combined = combine(key, samples[key], now);
		if (!combined) continue;
		const { live, ...value } = combined;
		for (const { transport } of live) if (transport) transports.add(transport);
		heardAt = Math.max(heardAt ?? 0, value.observedAt);
		if (key === PEOPLE) people = { key, ...value };
		else metrics.push({ key, ...value });
	}
	return { status: statusOf(people, room.capacity), people, metrics, transports: [...transports].sort(), heardAt };
}

function statusOf(people: MetricView | undefined, capacity: number): RoomStatus {
	if (!people) return 'no-data';
	return people.freshness === 'stale' ? 'stale' : occupancy(people.value, capacity);
}

/** A building in one line. People are counted over rooms whose count is live; the others are told as unknown, not as 0. */
export interface BuildingSummaryView {
	people: number;
	counted: number;
	rooms: number;
	statuses: Readonly<Record<RoomStatus, number>>;
}

/** Sums the rooms' views up. */
export function summarize(views: Iterable<RoomView>): BuildingSummaryView {
	const statuses: Record<RoomStatus, number> = { empty: 0, normal: 0, crowded: 0, full: 0, overcrowded: 0, stale: 0, 'no-data': 0 };
	let people = 0;
	let counted = 0;
	let rooms = 0;
	for (const view of views) {
		rooms += 1;
		statuses[view.status] += 1;
		if (view.people?.freshness === 'live') {
			counted += 1;
			people += view.people.value;
		}
	}
	return { people, counted, rooms, statuses };
}
