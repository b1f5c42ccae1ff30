import { freshMs, longestFreshMs } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';

/** The pauses of one metric of one sensor between its readings. Plain, as it is written to disk. */
interface Series {
	/** When its last reading was observed, epoch ms. */
	lastAt: number;
	/** Pauses so far. */
	pauses: number;
	/**
	 * Of the last `REMEMBERED` pauses, those that are too long for the usual freshness: their number and length in ms.
	 */
	long: { number: number; ms: number }[];
	/** How long its values count as current, in ms. */
	freshFor: number;
}

type Stored = Record<string, Record<string, Series>>;

/** How long the values of one of a room's doors count as current, and when it spoke last. */
interface RoomDoor {
	freshFor: number;
	at: number;
}

export interface CadencesParts {
	/** Path of the file that keeps what was learnt across restarts; undefined: it is forgotten. */
	path?: string;
	/** How often a sensor speaks, in seconds, where the registry says so. */
	declared: (sensorId: string) => number | undefined;
	logger?: Logger;
}

/** A value holds for so many pauses: one message may be lost, and the next may be late. */
const PAUSES_HELD = 2.5;
/** Pauses that are looked back on. Of these the second longest counts: a single outage is no cadence. */
const REMEMBERED = 8;
/** What is told downstream is rounded up to this, so that it does not change with every reading. */
const STEP_MS = 60_000;
/** It becomes shorter only where it would by this much. */
const SHRINKS_BELOW = 0.7;
const MAX_SENSORS = 20_000;
const FORGET_COUNT = 2000;
const MAX_ROOMS = 10_000;
/** A door that is silent for so long no longer says how long the count of its room holds. */
const DOOR_AWAY_MS = 24 * 3600_000;
const SAVE_SOON_MS = 5000;
/** What changes with every reading is written this rarely, for the sake of SD cards. */
const SAVE_LATER_MS = 30 * 60_000;

/**
 * How long the values of each sensor count as current: `PAUSES_HELD` times its cadence, within the bounds of its
 * metric. The cadence is what the registry says, or else learnt from the times of its readings. Computed here only;
 * every reading carries it downstream as `freshFor`.
 */
export class Cadences {
	readonly #file: CheckpointFile<Stored> | undefined;
	readonly #declared: CadencesParts['declared'];
	readonly #logger: Logger | undefined;
	readonly #sensors = new Map<string, Map<string, Series>>();
	/** By building and room, the doors that speak rarely. */
	readonly #rooms = new Map<string, Map<string, RoomDoor>>();
	#onChange: (sensorId: string) => void = () => undefined;
	#saveTimer: NodeJS.Timeout | undefined;
	#savesAt = Number.POSITIVE_INFINITY;

	constructor({ path, declared, logger }: CadencesParts) {
		this.#file = path === undefined ? undefined : new CheckpointFile<Stored>(path);
		this.#declared = declared;
		this.#logger = logger;
		for (const [sensorId, metrics] of Object.entries(this.#file?.read().value ?? {}))
			this.#sensors.set(sensorId, new Map(Object.entries(metrics)));
	}

	/** Calls `onChange` whenever the values of a sensor count as current for longer or shorter than before. */
	follow(onChange: (sensorId: string) => void): void {
		this.#onChange = onChange;
	}

	/**
	 * Notes a reading. Returns how long its value counts as current, in ms. Called for every reading.
	 * @param at when it was observed, epoch ms; one from before the last changes nothing
	 */
	heard(sensorId: string, metric: string, at: number): number {
		const metrics = this.#sensors.get(sensorId) ?? this.#add(sensorId);
		let series = metrics.get(metric);
		if (!series) {
			series = { lastAt: at, pauses: 0, long: [], freshFor: freshMs(metric) };
			metrics.set(metric, series);
		}
		const cadence = this.#declared(sensorId);
		const pause = at - series.lastAt;
		if (pause > 0) {
			series.lastAt = at;
			// A sensor that was away for this long has no cadence of it.
			if (pause <= 2 * longestFreshMs(metric)) this.#learn(series, pause, metric);
		}
		if (cadence !== undefined) this.#set(sensorId, series, metric, cadence * 1000);
		else if (series.long.length > 0 || series.freshFor !== freshMs(metric))
			this.#set(sensorId, series, metric, cadenceOf(series));
		return series.freshFor;
	}

	/**
	 * Whether readings up to this time would leave how long the sensor's values count as current as it is, at `freshFor`:
	 * so it is while it speaks often. Changes nothing.
	 */
	keeps(sensorId: string, metric: string, at: number, freshFor: number): boolean {
		const series = this.#sensors.get(sensorId)?.get(metric);
		if (series?.freshFor !== freshFor) return false;
		if (this.#declared(sensorId) !== undefined) return true;
		return (
			series.long.length === 0 && freshFor === freshMs(metric) && (at - series.lastAt) * PAUSES_HELD <= freshMs(metric)
		);
	}

	/**
	 * As `heard`, for the count of a room, which all of its doors speak for: it holds for as long as the value of the one
	 * that speaks most rarely, so that no older count outlasts a newer one.
	 */
	heardDoor(sensorId: string, metric: string, at: number, buildingId: string, roomId: string): number {
		const freshFor = this.heard(sensorId, metric, at);
		return this.#ofRoom(`${buildingId}/${roomId}`, sensorId, freshFor, freshMs(metric), at);
	}

	/** How long the count of a room holds that no door said, such as a correction, in ms. */
	ofRoom(buildingId: string, roomId: string, metric: string): number {
		const doors = this.#rooms.get(`${buildingId}/${roomId}`);
		return Math.max(freshMs(metric), ...(doors ? [...doors.values()].map(({ freshFor }) => freshFor) : []));
	}

	/** When the sensor's last reading of this metric was observed, epoch ms. */
	lastAt(sensorId: string, metric: string): number | undefined {
		return this.#sensors.get(sensorId)?.get(metric)?.lastAt;
	}

	/** By metric, how long the values of a sensor count as current, in ms. */
	of(sensorId: string): ReadonlyMap<string, number> {
		const metrics = this.#sensors.get(sensorId) ?? new Map<string, Series>();
		return new Map([...metrics].map(([metric, { freshFor }]) => [metric, freshFor]));
	}

	async close(): Promise<void> {
		clearTimeout(this.#saveTimer);
		if (this.#saveTimer) await this.#save();
		await this.#file?.settled();
	}

	#learn(series: Series, pause: number, metric: string): void {
		const number = ++series.pauses;
		const isLong = pause * PAUSES_HELD > freshMs(metric);
		if (!isLong && series.long.length === 0) return;
		series.long = series.long.filter((one) => one.number > number - REMEMBERED);
		if (isLong) series.long.push({ number, ms: pause });
		this.#saveWithin(SAVE_LATER_MS);
	}

	#set(sensorId: string, series: Series, metric: string, cadence: number): void {
		const least = freshMs(metric);
		const held = Math.ceil((cadence * PAUSES_HELD) / STEP_MS) * STEP_MS;
		const wanted = Math.min(Math.max(held, least), longestFreshMs(metric));
		const { freshFor } = series;
		if (wanted === freshFor || (wanted < freshFor && wanted > SHRINKS_BELOW * freshFor)) return;
		series.freshFor = wanted;
		this.#onChange(sensorId);
		this.#saveWithin(SAVE_SOON_MS);
	}

	#ofRoom(place: string, sensorId: string, freshFor: number, least: number, at: number): number {
		const doors = this.#rooms.get(place);
		if (freshFor > least) {
			if (doors) doors.set(sensorId, { freshFor, at });
			else if (this.#rooms.size < MAX_ROOMS) this.#rooms.set(place, new Map([[sensorId, { freshFor, at }]]));
		} else doors?.delete(sensorId);
		if (!doors) return freshFor;
		let longest = freshFor;
		for (const [door, known] of doors) {
			if (at - known.at > DOOR_AWAY_MS) doors.delete(door);
			else longest = Math.max(longest, known.freshFor);
		}
		if (doors.size === 0) this.#rooms.delete(place);
		return longest;
	}

	#add(sensorId: string): Map<string, Series> {
		if (this.#sensors.size >= MAX_SENSORS) this.#forgetSome();
		const metrics = new Map<string, Series>();
		this.#sensors.set(sensorId, metrics);
		return metrics;
	}

	/** Forgets those that have been silent for longest. */
	#forgetSome(): void {
		const lastAt = (metrics: Map<string, Series>) => Math.max(...[...metrics.values()].map((one) => one.lastAt));
		const order = [...this.#sensors].map(([id, metrics]) => ({ id, at: lastAt(metrics) })).sort((a, b) => a.at - b.at);
		for (const { id } of order.slice(0, FORGET_COUNT)) this.#sensors.delete(id);
	}

	#saveWithin(ms: number): void {
		if (!this.#file) return;
		const at = performance.now() + ms;
		if (at >= this.#savesAt) return;
		clearTimeout(this.#saveTimer);
		this.#savesAt = at;
		this.#saveTimer = setTimeout(() => void this.#save(), ms).unref();
	}

	/** Only those that speak rarely: of the others, nothing is worth keeping. */
	#save(): Promise<void> {
		this.#saveTimer = undefined;
		this.#savesAt = Number.POSITIVE_INFINITY;
		const stored: Stored = {};
		for (const [sensorId, metrics] of this.#sensors) {
			const slow = [...metrics].filter(([, { long }]) => long.length > 0);
			if (slow.length > 0) stored[sensorId] = Object.fromEntries(slow);
		}
		return this.#file!.write(stored).catch((error: unknown) =>
			this.#logger?.warn({ err: error }, 'how often the sensors speak could not be written'),
		);
	}
}

/** How often a sensor speaks, in ms; 0 where it is often enough. */
function cadenceOf({ long, pauses }: Series): number {
	const [longest = 0, second = 0] = long.map(({ ms }) => ms).sort((a, b) => b - a);
	return pauses === 1 ? longest : second;
}
