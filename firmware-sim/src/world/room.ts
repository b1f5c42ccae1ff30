import { createRandom, hash, poisson, type Random } from '../random.ts';
import { attendance, type Purpose, purposeOf } from './attendance.ts';

/** What never changes about a simulated room. */
export interface RoomNature {
	readonly id: string;
	readonly capacity: number;
	readonly purpose: Purpose;
	/** Seed of everything that happens here. */
	readonly base: number;
	/** m³ of air. */
	readonly volume: number;
	/** How many times an hour the air is changed. */
	readonly airChanges: number;
	/** degC the heating keeps by day. */
	readonly setPoint: number;
}

/** A room at one moment: the truth that its sensors measure. */
export interface RoomState {
	people: number;
	/** Crossings of its doors since the simulation began; `entered - left` is `people`. */
	entered: number;
	left: number;
	/** ppm */
	co2: number;
	/** degC */
	temperature: number;
	/** % relative */
	humidity: number;
}

/** What is the same for all rooms of a building at one moment. */
export interface Surroundings {
	/** Whole days since 1970, local. */
	day: number;
	/** 0..24, local. */
	hour: number;
	/** degC outside. */
	outside: number;
}

const OUTSIDE_CO2 = 420;
/** m³ of CO2 that a person at rest breathes out in an hour. */
const BREATH = 0.0187;
const PEOPLE_HOURS = 4 / 60;
const HEATING_HOURS = 1.2;
const WALL_HOURS = 14;
const HUMIDITY_HOURS = 0.6;
/** How much a full room would warm up above the set point, K. */
const FULL_ROOM_HEAT = 3;
/** Part of those present who leave, and are replaced, in an hour. */
const CHURN = 0.5;

export function roomNature(room: { id: string; capacity: number }, seed: number): RoomNature {
	const base = hash(seed, room.id);
	const random = createRandom(base);
	return {
		id: room.id,
		capacity: room.capacity,
		purpose: purposeOf(room.id, seed),
		base,
		volume: 30 + room.capacity * (4.5 + random() * 2),
		airChanges: 2.5 + random() * 1.5,
		setPoint: 20.5 + random() * 1.5,
	};
}

/** A room that has been as `surroundings` says for a while. */
export function settledRoom(nature: RoomNature, surroundings: Surroundings): RoomState {
	const people = Math.round(
		nature.capacity * attendance(nature.purpose, nature.base, surroundings.day, surroundings.hour),
	);
	return {
		people,
		entered: people,
		left: 0,
		co2: OUTSIDE_CO2 + (people * BREATH * 1e6) / (nature.volume * nature.airChanges),
		temperature: target(nature, surroundings.hour),
		humidity: 42,
	};
}

/**
 * The room `hours` later. People come and go by chance towards what the hour calls for, never more than fit and never
 * fewer than none; with `held`, exactly so many are there, whatever fits. Air follows them with inertia.
 */
export function stepRoom(
	nature: RoomNature,
	state: RoomState,
	around: Surroundings,
	hours: number,
	random: Random,
	held?: number,
): RoomState {
	const { arrivals, departures } =
		held === undefined ? movement(nature, state, around, hours, random) : crossingsTo(state.people, held);
	const people = state.people + arrivals - departures;
	const share = nature.capacity > 0 ? people / nature.capacity : 0;

	const co2Rest = OUTSIDE_CO2 + (people * BREATH * 1e6) / (nature.volume * nature.airChanges);
	const indoors = target(nature, around.hour) + FULL_ROOM_HEAT * share;
	const temperature = approach(
		approach(state.temperature, indoors, hours / HEATING_HOURS),
		around.outside,
		hours / WALL_HOURS,
	);
	const humidityRest = 40 + 14 * Math.min(share, 2) - 1.2 * (temperature - 21);
	return {
		people,
		entered: state.entered + arrivals,
		left: state.left + departures,
		co2: approach(state.co2, co2Rest, hours * nature.airChanges),
		temperature,
		humidity: approach(state.humidity, Math.max(15, Math.min(85, humidityRest)), hours / HUMIDITY_HOURS),
	};
}

/** The crossings that make `held` people of `people`. */
export function crossingsTo(people: number, held: number): { arrivals: number; departures: number } {
	return { arrivals: Math.max(0, held - people), departures: Math.max(0, people - held) };
}

function movement(nature: RoomNature, state: RoomState, around: Surroundings, hours: number, random: Random) {
	const wanted = nature.capacity * attendance(nature.purpose, nature.base, around.day, around.hour);
	const gap = wanted - state.people;
	const churn = Math.min(state.people, wanted) * CHURN;
	const wish = poisson(random, (churn + Math.max(0, gap) / PEOPLE_HOURS) * hours);
	const departures = Math.min(state.people, poisson(random, (churn + Math.max(0, -gap) / PEOPLE_HOURS) * hours));
	const space = Math.max(0, nature.capacity - state.people + departures);
	return { arrivals: Math.min(space, wish), departures };
}

const target = (nature: RoomNature, hour: number) => (hour >= 6 && hour < 19 ? nature.setPoint : nature.setPoint - 3);

/** First-order lag: where `from` is on its way to `to` after `share` time constants. */
const approach = (from: number, to: number, share: number) => to + (from - to) * Math.exp(-share);
