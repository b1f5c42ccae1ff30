import {
	type Answer,
	type Citation,
	type CombinedView,
	type Freshness,
	generationKey,
	isIncomplete,
	type MetricLookup,
	quantity,
	type RetainedBuilding,
	roomValue,
} from '@crowdvision/contracts';
import type { AnomalyDocument, LatestOfRoom } from '../store.ts';
import { ago, lasted } from './age.ts';
import type { Intent, Language, Question } from './question.ts';
import { TEXTS } from './texts.ts';

/** Everything an answer may rest on: data of the buildings that the caller may see. */
export interface Facts {
	buildings: readonly { building: RetainedBuilding; latest: readonly LatestOfRoom[] }[];
	anomalies: readonly AnomalyDocument[];
	catalog: MetricLookup;
	/** Epoch ms. */
	now: number;
}

interface KnownRoom {
	citation: Citation;
	name: string;
	value: number;
	/** The interval of a count made by doors; both equal `value` otherwise. */
	low: number;
	high: number;
	capacity: number;
	freshness: Freshness;
	observedAt: number;
	unchangedSince: number | undefined;
	/** Where the room says how its counters are combined. */
	combined: CombinedView | undefined;
}

const EXTREMES: Partial<Record<Intent, { metric: string; highest: boolean }>> = {
	warmest: { metric: 'temperature', highest: true },
	coldest: { metric: 'temperature', highest: false },
	'worst-air': { metric: 'co2', highest: true },
};
const MAX_ALERTS = 5;
/** The age of a value is stated from this age on. */
const JUST_NOW_MS = 60_000;

/**
 * Answers from measurements only. Rooms without a current value are left out, and the answer says so: an unknown value
 * is not 0.
 */
export function answer(question: Question, text: string, facts: Facts): Answer {
	const texts = TEXTS[question.language];
	switch (question.intent) {
		case 'least-crowded':
		case 'most-crowded':
			return crowded(question.intent, question.language, facts);
		case 'how-many':
			return howMany(text, question.language, facts);
		case 'warmest':
		case 'coldest':
		case 'worst-air':
			return extreme(question.intent, question.language, facts);
		case 'alerts':
			return alerts(question.language, facts);
		case 'metric':
			return question.extreme ? extremeOf(question, facts) : measured(question, text, facts);
		default:
			return { answer: texts.unknown, citations: [], grounded: false };
	}
}

/**
 * The rooms with a current value of a metric, those whose last value is not current, and the number of rooms without a
 * current value.
 */
function roomsWith(
	metric: string,
	{ buildings, now, catalog }: Facts,
): { rooms: KnownRoom[]; past: KnownRoom[]; missing: number } {
	const rooms: KnownRoom[] = [];
	const past: KnownRoom[] = [];
	let missing = 0;
	for (const { building, latest } of buildings) {
		for (const room of building.rooms) {
			const sensors = latest.filter((sensor) => sensor.roomId === room.id && sensor.metric === metric);
			const value = roomValue(metric, sensors, now, catalog, room.combine);
			if (!value || value.stale) missing++;
			if (!value) continue;
			const name = buildings.length > 1 ? `${room.name} (${building.name})` : room.name;
			(value.stale ? past : rooms).push({
				citation: { id: `${building.id}/${room.id}`, kind: 'room', label: name },
				name,
				value: value.value,
				low: value.low ?? value.value,
				high: value.high ?? value.value,
				capacity: room.capacity,
				freshness: value.freshness,
				observedAt: value.observedAt,
				unchangedSince: value.unchangedSince,
				combined: value.combined,
			});
		}
	}
	return { rooms, past, missing };
}

/** A number of people; with its interval where doors count them. */
function counted({ value, low, high }: Pick<KnownRoom, 'value' | 'low' | 'high'>, language: Language): string {
	const people = quantity('peopleCount', value, language);
	return low < high ? TEXTS[language].about(people, low, high) : people;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** The sentences on how reliable a room's value is; none for a value that was just measured. */
function reliability(room: KnownRoom, language: Language, now: number): string {
	const { observedAt, unchangedSince, freshness, combined } = room;
	const texts = TEXTS[language];
	const missing = combined?.silent ? texts.incomplete(combined.silent.length, combined.counters) : '';
	const age = missing + (now - observedAt < JUST_NOW_MS ? '' : texts.lastValue(ago(now - observedAt, language)));
	return freshness === 'stuck' && unchangedSince !== undefined
		? age + texts.stuck(lasted(observedAt - unchangedSince, language))
		: age;
}

/** The answer when no room has a current value: states the age of the newest value, if there is one. */
function nothing(past: readonly KnownRoom[], language: Language, now: number): Answer {
	const texts = TEXTS[language];
	const newest = Math.max(...past.map(({ observedAt }) => observedAt));
	return {
		answer: texts.nothing + (past.length > 0 ? texts.lastValue(ago(now - newest, language)) : ''),
		citations: [],
		grounded: false,
	};
}

function crowded(intent: 'least-crowded' | 'most-crowded', language: Language, facts: Facts): Answer {
	const texts = TEXTS[language];
	const { rooms, past, missing } = roomsWith('peopleCount', facts);
	const holding = rooms.filter(({ capacity }) => capacity > 0);
	const share = (room: KnownRoom) => room.value / room.capacity;
	const [first] = holding.toSorted((a, b) => (intent === 'least-crowded' ? share(a) - share(b) : share(b) - share(a)));
	if (!first) return nothing(past, language, facts.now);
	const say = intent === 'least-crowded' ? texts.least : texts.most;
	const percent = `${Math.round(share(first) * 100)} %`;
	return {
		answer:
			say(first.name, counted(first, language), percent) +
			reliability(first, language, facts.now) +
			(missing > 0 ? texts.leftOut(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

function howMany(text: string, language: Language, facts: Facts): Answer {
	const texts = TEXTS[language];
	const { rooms, past, missing } = roomsWith('peopleCount', facts);
	const named = namedRoom(text.toLowerCase(), facts);
	if (named)
		return howManyIn(
			named.name,
			[...rooms, ...past].find(({ citation }) => citation.id === named.id),
			language,
			facts.now,
		);
	if (rooms.length === 0) return nothing(past, language, facts.now);
	const sum = (read: (room: KnownRoom) => number) => rooms.reduce((total, room) => total + read(room), 0);
	const all = { value: sum(({ value }) => value), low: sum(({ low }) => low), high: sum(({ high }) => high) };
	const people = capital(counted(all, language));
	const sentence =
		missing > 0 ? texts.overall(people, rooms.length, rooms.length + missing) : texts.overallAll(people, rooms.length);
	const incomplete = rooms.filter(isIncomplete).map(({ name }) => name);
	const oldest = rooms.reduce((a, b) => (b.observedAt < a.observedAt ? b : a));
	return {
		answer:
			sentence +
			texts.incompleteRooms(incomplete) +
			reliability({ ...oldest, combined: undefined }, language, facts.now),
		citations: rooms.map(({ citation }) => citation),
		grounded: true,
	};
}

function howManyIn(name: string, room: KnownRoom | undefined, language: Language, now: number): Answer {
	const texts = TEXTS[language];
	if (!room) return { answer: texts.uncounted(name), citations: [], grounded: false };
	const people = capital(counted(room, language));
	const current = room.freshness === 'live' || room.freshness === 'stuck';
	return {
		answer: current
			? texts.inRoom(room.name, people, room.capacity) + reliability(room, language, now)
			: texts.lastKnown(room.name, people, ago(now - room.observedAt, language)) +
				(room.freshness === 'offline' ? texts.offline : ''),
		citations: [room.citation],
		grounded: true,
	};
}

/**
 * The room that a question names by its name or id. If several match: one of a building that is named too, then the one
 * of which more is named.
 */
function namedRoom(lower: string, { buildings }: Facts): { id: string; name: string } | undefined {
	const named = buildings.flatMap(({ building }) => {
		const inNamed = namedLength(lower, building) > 0;
		return building.rooms.map((room) => ({
			id: `${building.id}/${room.id}`,
			name: room.name,
			length: namedLength(lower, room),
			inNamed,
		}));
	});
	return named
		.filter(({ length }) => length > 0)
		.toSorted((a, b) => Number(b.inNamed) - Number(a.inNamed) || b.length - a.length)[0];
}

/** How much of a text names something: the length of its name or its id, 0 if neither is there. */
function namedLength(lower: string, { id, name }: { id: string; name: string }): number {
	if (lower.includes(name.toLowerCase())) return name.length;
	return mentions(lower, id) ? id.length : 0;
}

/** Whether a text contains an id as a word of its own: "available" does not mention "lab". */
function mentions(lower: string, id: string): boolean {
	const words = lower.split(/[^\p{L}\p{N}._:-]+/u);
	return words.includes(id.toLowerCase()) || words.includes(`${id.toLowerCase()}.`);
}

function extreme(intent: 'warmest' | 'coldest' | 'worst-air', language: Language, facts: Facts): Answer {
	const texts = TEXTS[language];
	const { metric, highest } = EXTREMES[intent]!;
	const { rooms, past, missing } = roomsWith(metric, facts);
	const [first] = rooms.toSorted((a, b) => (highest ? b.value - a.value : a.value - b.value));
	if (!first) return nothing(past, language, facts.now);
	return {
		answer:
			texts.is(first.name, texts.extreme[intent], quantity(metric, first.value, language, facts.catalog)) +
			reliability(first, language, facts.now) +
			(missing > 0 ? texts.leftOut(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

/** The room in which a metric is highest or lowest. */
function extremeOf({ metric = '', extreme, language }: Question, facts: Facts): Answer {
	const texts = TEXTS[language];
	const { rooms, past, missing } = roomsWith(metric, facts);
	const [first] = rooms.toSorted((a, b) => (extreme === 'highest' ? b.value - a.value : a.value - b.value));
	if (!first) return nothing(past, language, facts.now);
	const name = facts.catalog.describe(metric).label[language];
	const sentence = extreme === 'highest' ? texts.highest : texts.lowest;
	return {
		answer:
			sentence(name, first.name, quantity(metric, first.value, language, facts.catalog)) +
			reliability(first, language, facts.now) +
			(missing > 0 ? texts.leftOut(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

/** The value of a metric in the room that the question names, else in every room that has one. */
function measured({ metric = '', language }: Question, text: string, facts: Facts): Answer {
	const texts = TEXTS[language];
	const { rooms, past } = roomsWith(metric, facts);
	const name = facts.catalog.describe(metric).label[language];
	const valueIn = (room: KnownRoom) => quantity(metric, room.value, language, facts.catalog);
	const named = namedRoom(text.toLowerCase(), facts);
	const wanted = named ? rooms.filter(({ citation }) => citation.id === named.id) : rooms;
	if (wanted.length > 0) {
		const sentences = wanted.map(
			(room) => texts.measured(name, room.name, valueIn(room)) + reliability(room, language, facts.now),
		);
		return { answer: sentences.join(' '), citations: wanted.map(({ citation }) => citation), grounded: true };
	}
	if (!named) return nothing(past, language, facts.now);
	const last = past.find(({ citation }) => citation.id === named.id);
	if (!last) return { answer: texts.notMeasured(name, named.name), citations: [], grounded: false };
	const age = ago(facts.now - last.observedAt, language);
	return {
		answer: texts.lastMeasured(name, last.name, valueIn(last), age),
		citations: [last.citation],
		grounded: true,
	};
}

function alerts(language: Language, { anomalies }: Facts): Answer {
	const texts = TEXTS[language];
	const latest = anomalies.slice(0, MAX_ALERTS);
	if (latest.length === 0) return { answer: texts.noAlerts, citations: [], grounded: true };
	return {
		answer: texts.alerts(latest.map(({ message, state }) => `${message} (${state})`).join('; ')),
		citations: latest.map(({ id, message }) => ({ id, kind: 'alert', label: message })),
		grounded: true,
	};
}

/** The buildings that an answer cites, or whose rooms it names, as `generationKey`s. */
export function buildingsOf({ answer: text, citations }: Answer, { anomalies, buildings }: Facts): string[] {
	const cited = new Set(
		citations.map(({ id, kind }) =>
			kind === 'room' ? id.slice(0, id.indexOf('/')) : anomalies.find((anomaly) => anomaly.id === id)!.buildingId,
		),
	);
	const lower = text.toLowerCase();
	return buildings
		.map(({ building }) => building)
		.filter(({ id, rooms }) => cited.has(id) || rooms.some(({ name }) => lower.includes(name.toLowerCase())))
		.map(({ id, generation }) => generationKey(id, generation));
}
