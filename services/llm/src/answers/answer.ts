import { type Freshness, type MetricKey, quantity, type RetainedBuilding, roomValue } from '@crowdvision/contracts';
import type { AnomalyDocument, Answer, Citation, LatestOfRoom } from '../store.ts';
import { ago, lasted } from './age.ts';
import type { Intent, Language, Question } from './question.ts';

/** What an answer may rest on: of the asker's buildings only. */
export interface Facts {
	buildings: readonly { building: RetainedBuilding; latest: readonly LatestOfRoom[] }[];
	anomalies: readonly AnomalyDocument[];
	now: number;
}

interface KnownRoom {
	citation: Citation;
	name: string;
	value: number;
	/** Between which the truth lies; both are `value` where nothing is said of that. */
	low: number;
	high: number;
	capacity: number;
	freshness: Freshness;
	observedAt: number;
	unchangedSince: number | undefined;
}

const WORDS = {
	en: {
		unknown:
			'I can tell the least or most crowded room, how many people are in a room, the warmest or coldest room, the stuffiest one, and the latest alerts.',
		nothing:
			'Nothing current is known about that: no sensor of your buildings measures it, or none was heard of lately.',
		least: (room: string, people: string, share: string) =>
			`${room} is the least crowded: ${people}, ${share} of its capacity.`,
		most: (room: string, people: string, share: string) =>
			`${room} is the most crowded: ${people}, ${share} of its capacity.`,
		about: (people: string, low: number, high: number) => `about ${people} (between ${low} and ${high})`,
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, which holds ${capacity}.`,
		overall: (people: string, rooms: number, of: number) =>
			`${people} in ${rooms} of ${of} rooms; of the others nothing current is known.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} rooms.`,
		extreme: { warmest: 'the warmest', coldest: 'the coldest', 'worst-air': 'the stuffiest' },
		is: (room: string, what: string, value: string) => `${room} is ${what}: ${value}.`,
		noAlerts: 'There was no alert.',
		alerts: (list: string) => `The latest alerts: ${list}.`,
		left: (count: number) =>
			` (${count} ${count === 1 ? 'room' : 'rooms'} without a current value ${count === 1 ? 'was' : 'were'} left out.)`,
		heard: (age: string) => ` Last heard ${age}.`,
		stuck: (time: string) => ` Its sensor has said the same for ${time} and may be broken.`,
		lastKnown: (room: string, people: string, age: string) =>
			`${people} in ${room} when last heard ${age}; how many are there now is not known.`,
		offline: ' Its sensor is offline.',
		unheard: (room: string) => `How many people are in ${room} is not known: no sensor has counted them there.`,
	},
	it: {
		unknown:
			"So dire qual è la stanza meno o più affollata, quante persone ci sono in una stanza, la stanza più calda o più fredda, quella con l'aria peggiore e gli ultimi allarmi.",
		nothing:
			'Non se ne sa nulla di attuale: nessun sensore dei tuoi edifici lo misura, o nessuno si è fatto sentire di recente.',
		least: (room: string, people: string, share: string) =>
			`${room} è la meno affollata: ${people}, ${share} della capienza.`,
		most: (room: string, people: string, share: string) =>
			`${room} è la più affollata: ${people}, ${share} della capienza.`,
		about: (people: string, low: number, high: number) => `circa ${people} (tra ${low} e ${high})`,
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, che ne contiene ${capacity}.`,
		overall: (people: string, rooms: number, of: number) =>
			`${people} in ${rooms} stanze su ${of}; delle altre non si sa nulla di attuale.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} stanze.`,
		extreme: { warmest: 'la più calda', coldest: 'la più fredda', 'worst-air': "quella con l'aria peggiore" },
		is: (room: string, what: string, value: string) => `${room} è ${what}: ${value}.`,
		noAlerts: 'Non ci sono stati allarmi.',
		alerts: (list: string) => `Gli ultimi allarmi: ${list}.`,
		left: (count: number) =>
			count === 1
				? ' (1 stanza senza un valore attuale non è contata.)'
				: ` (${count} stanze senza un valore attuale non sono contate.)`,
		heard: (age: string) => ` Ultimo dato: ${age}.`,
		stuck: (time: string) => ` Il suo sensore dice lo stesso da ${time} e potrebbe essere guasto.`,
		lastKnown: (room: string, people: string, age: string) =>
			`${people} in ${room} all'ultimo dato, ${age}; quante ce ne siano ora non si sa.`,
		offline: ' Il suo sensore è offline.',
		unheard: (room: string) => `Quante persone ci siano in ${room} non si sa: nessun sensore le ha contate.`,
	},
};

const EXTREMES: Partial<Record<Intent, { metric: MetricKey; highest: boolean }>> = {
	warmest: { metric: 'temperature', highest: true },
	coldest: { metric: 'temperature', highest: false },
	'worst-air': { metric: 'co2', highest: true },
};
const MOST_ALERTS = 5;
/** The age of what is heard so lately is not spoken of. */
const JUST_NOW_MS = 60_000;

/**
 * Answers from what was measured, and from nothing else. Rooms without a current value are left out, and that is said:
 * unknown is not 0.
 */
export function answer(question: Question, text: string, facts: Facts): Answer {
	const words = WORDS[question.language];
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
		default:
			return { answer: words.unknown, citations: [], grounded: false };
	}
}

/**
 * The asker's rooms whose value is current, those whose last value is not, and how many rooms nothing current is known
 * of.
 */
function roomsWith(
	metric: MetricKey,
	{ buildings, now }: Facts,
): { rooms: KnownRoom[]; past: KnownRoom[]; missing: number } {
	const rooms: KnownRoom[] = [];
	const past: KnownRoom[] = [];
	let missing = 0;
	for (const { building, latest } of buildings) {
		for (const room of building.rooms) {
			const sensors = latest.filter((one) => one.roomId === room.id && one.metric === metric);
			const value = roomValue(metric, sensors, now);
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
			});
		}
	}
	return { rooms, past, missing };
}

/** So many people; where doors count them, about so many, and between how many. */
function counted({ value, low, high }: Pick<KnownRoom, 'value' | 'low' | 'high'>, language: Language): string {
	const people = quantity('peopleCount', value, language);
	return low < high ? WORDS[language].about(people, low, high) : people;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** How far what is said of a room can be relied on; nothing for what was heard just now. */
function reliance({ observedAt, unchangedSince, freshness }: KnownRoom, language: Language, now: number): string {
	const words = WORDS[language];
	const heard = now - observedAt < JUST_NOW_MS ? '' : words.heard(ago(now - observedAt, language));
	return freshness === 'stuck' && unchangedSince !== undefined
		? heard + words.stuck(lasted(observedAt - unchangedSince, language))
		: heard;
}

/** Nothing current is known; what was known last is told with its age. */
function nothing(past: readonly KnownRoom[], language: Language, now: number): Answer {
	const words = WORDS[language];
	const newest = Math.max(...past.map(({ observedAt }) => observedAt));
	return {
		answer: words.nothing + (past.length > 0 ? words.heard(ago(now - newest, language)) : ''),
		citations: [],
		grounded: false,
	};
}

function crowded(intent: 'least-crowded' | 'most-crowded', language: Language, facts: Facts): Answer {
	const words = WORDS[language];
	const { rooms, past, missing } = roomsWith('peopleCount', facts);
	const holding = rooms.filter(({ capacity }) => capacity > 0);
	const share = (room: KnownRoom) => room.value / room.capacity;
	const [first] = holding.toSorted((a, b) => (intent === 'least-crowded' ? share(a) - share(b) : share(b) - share(a)));
	if (!first) return nothing(past, language, facts.now);
	const say = intent === 'least-crowded' ? words.least : words.most;
	const percent = `${Math.round(share(first) * 100)} %`;
	return {
		answer:
			say(first.name, counted(first, language), percent) +
			reliance(first, language, facts.now) +
			(missing > 0 ? words.left(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

function howMany(text: string, language: Language, facts: Facts): Answer {
	const words = WORDS[language];
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
	const said =
		missing > 0 ? words.overall(people, rooms.length, rooms.length + missing) : words.overallAll(people, rooms.length);
	const oldest = rooms.reduce((a, b) => (b.observedAt < a.observedAt ? b : a));
	return {
		answer: said + reliance(oldest, language, facts.now),
		citations: rooms.map(({ citation }) => citation),
		grounded: true,
	};
}

function howManyIn(name: string, room: KnownRoom | undefined, language: Language, now: number): Answer {
	const words = WORDS[language];
	if (!room) return { answer: words.unheard(name), citations: [], grounded: false };
	const people = capital(counted(room, language));
	const current = room.freshness === 'live' || room.freshness === 'stuck';
	return {
		answer: current
			? words.inRoom(room.name, people, room.capacity) + reliance(room, language, now)
			: words.lastKnown(room.name, people, ago(now - room.observedAt, language)) +
				(room.freshness === 'offline' ? words.offline : ''),
		citations: [room.citation],
		grounded: true,
	};
}

/** The room that a question names; the longest name, where it names several. */
function namedRoom(lower: string, { buildings }: Facts): { id: string; name: string } | undefined {
	const named = buildings.flatMap(({ building }) =>
		building.rooms
			.filter(({ id, name }) => lower.includes(name.toLowerCase()) || mentions(lower, id))
			.map(({ id, name }) => ({ id: `${building.id}/${id}`, name })),
	);
	return named.toSorted((a, b) => b.name.length - a.name.length)[0];
}

/** An id as a word of its own: "lab" is not mentioned by "available". */
function mentions(lower: string, id: string): boolean {
	const words = lower.split(/[^\p{L}\p{N}._:-]+/u);
	return words.includes(id.toLowerCase()) || words.includes(`${id.toLowerCase()}.`);
}

function extreme(intent: 'warmest' | 'coldest' | 'worst-air', language: Language, facts: Facts): Answer {
	const words = WORDS[language];
	const { metric, highest } = EXTREMES[intent]!;
	const { rooms, past, missing } = roomsWith(metric, facts);
	const [first] = rooms.toSorted((a, b) => (highest ? b.value - a.value : a.value - b.value));
	if (!first) return nothing(past, language, facts.now);
	return {
		answer:
			words.is(first.name, words.extreme[intent], quantity(metric, first.value, language)) +
			reliance(first, language, facts.now) +
			(missing > 0 ? words.left(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

function alerts(language: Language, { anomalies }: Facts): Answer {
	const words = WORDS[language];
	const latest = anomalies.slice(0, MOST_ALERTS);
	if (latest.length === 0) return { answer: words.noAlerts, citations: [], grounded: true };
	return {
		answer: words.alerts(latest.map(({ message, state }) => `${message} (${state})`).join('; ')),
		citations: latest.map(({ id, message }) => ({ id, kind: 'alert', label: message })),
		grounded: true,
	};
}

/** The buildings that an answer cites. */
export function buildingsOf({ citations }: Answer, { anomalies }: Facts): string[] {
	const ids = citations.map(({ id, kind }) =>
		kind === 'room' ? id.slice(0, id.indexOf('/')) : anomalies.find((one) => one.id === id)!.buildingId,
	);
	return [...new Set(ids)];
}
