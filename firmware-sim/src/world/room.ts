import { createRandom, hash, poisson, type Random } from '../random.ts';
import { attendance, type Purpose, purposeOf } from './attendance.ts';

/** The constant properties of a simulated room. */
export interface RoomTraits {
	readonly id: string;
	readonly capacity: number;
	readonly purpose: Purpose;
	/** Seed of everything that happens in the room. */
	readonly base: number;
	/** m³ of air. */
	readonly volume: number;
	/** Air changes per hour. */
	readonly airChanges: number;
	/** Temperature that the heating keeps by day, degC. */
	readonly setPoint: number;
}

/** The true state of a room at one moment, which its sensors measure. */
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

/** Conditions shared by all rooms of a building at one moment. */
export interface Surroundings {
	/** Whole days since 1970, local. */
	day: number;
	/** 0..24, local. */
	hour: number;
	/** Outdoor temperature, degC. */
	outside: number;
}

const OUTSIDE_CO2 = 420;
/** m³ of CO2 that a person at rest exhales per hour. */
const BREATH = 0.0187;
const PEOPLE_HOURS = 4 / 60;
const HEATING_HOURS = 1.2;
const WALL_HOURS = 14;
const HUMIDITY_HOURS = 0.6;
/** By how much a full room warms up above the set point, K. */
const FULL_ROOM_HEAT = 3;
/** Share of the people present who leave and are replaced per hour. */
const CHURN = 0.5;

export function roomTraits(room: { id: string; capacity: number }, seed: number): RoomTraits {
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

/** The state of a room after a long time under constant `surroundings`. */
export function steadyRoom(traits: RoomTraits, surroundings: Surroundings): RoomState {
	const people = Math.round(
		traits.capacity * attendance(traits.purpose, traits.base, surroundings.day, surroundings.hour),
	);
	return {
		people,
		entered: people,
		left: 0,
		co2: OUTSIDE_CO2 + (people * BREATH * 1e6) / (traits.volume * traits.airChanges),
		temperature: heatingTarget(traits, surroundings.hour),
		humidity: 42,
	};
}

/**
 * The state of a room `hours` later. People come and go at random towards the attendance of the hour, within the room's
 * capacity; with `fixedCount` exactly that many people are there. The air follows with its time constants.
 */
export function stepRoom(
	traits: RoomTraits,
	state: RoomState,
	surroundings: Surroundings,
	hours: number,
	random: Random,
	fixedCount?: number,
): RoomState {
	const { arrivals, departures } =
		fixedCount === undefined
			? movement(traits, state, surroundings, hours, random)
			: crossingsTo(state.people, fixedCount);
	const people = state.people + arrivals - departures;
	const share = traits.capacity > 0 ? people / traits.capacity : 0;

	const co2Rest = OUTSIDE_CO2 + (people * BREATH * 1e6) / (traits.volume * traits.airChanges);
	const indoors = heatingTarget(traits, surroundings.hour) + FULL_ROOM_HEAT * share;
	const temperature = approach(
		approach(state.temperature, indoors, hours / HEATING_HOURS),
		surroundings.outside,
		hours / WALL_HOURS,
	);
	const humidityRest = 40 + 14 * Math.min(share, 2) - 1.2 * (temperature - 21);
	return {
		people,
		entered: state.entered + arrivals,
		left: state.left + departures,
		co2: approach(state.co2, co2Rest, hours * traits.airChanges),
		temperature,
		humidity: approach(state.humidity, Math.max(15, Math.min(85, humidityRest)), hours / HUMIDITY_HOURS),
	};
}

/** The crossings that change the count from `people` to `target`. */
export function crossingsTo(people: number, target: number): { arrivals: number; departures: number } {
	return { arrivals: Math.max(0, target - people), departures: Math.max(0, people - target) };
}

function movement(traits: RoomTraits, state: RoomState, surroundings: Surroundings, hours: number, random: Random) {
	const wanted = traits.capacity * attendance(traits.purpose, traits.base, surroundings.day, surroundings.hour);
	const gap = wanted - state.people;
	const churn = Math.min(state.people, wanted) * CHURN;
	const wishing = poisson(random, (churn + Math.max(0, gap) / PEOPLE_HOURS) * hours);
	const departures = Math.min(state.people, poisson(random, (churn + Math.max(0, -gap) / PEOPLE_HOURS) * hours));
	const space = Math.max(0, traits.capacity - state.people + departures);
	return { arrivals: Math.min(space, wishing), departures };
}

const heatingTarget = (traits: RoomTraits, hour: number) =>
	hour >= 6 && hour < 19 ? traits.setPoint : traits.setPoint - 3;

/** First-order lag: the value on its way from `from` to `to` after `share` time constants. */
const approach = (from: number, to: number, share: number) => to + (from - to) * Math.exp(-share);
