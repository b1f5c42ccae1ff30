import { METRICS, type MetricKey, type RetainedBuilding, roomValue } from '@crowdvision/contracts';
import type { Anomaly, LatestOfRoom } from './knowledge.ts';
import type { Intent, Language, Question } from './question.ts';

export interface Citation {
	id: string;
	kind: 'room' | 'alert';
	label: string;
}

export interface Answer {
	answer: string;
	citations: Citation[];
	/** False when it rests on nothing that was measured. */
	grounded: boolean;
}

/** What an answer may rest on: of the asker's buildings only. */
export interface Facts {
	buildings: readonly { building: RetainedBuilding; latest: readonly LatestOfRoom[] }[];
	anomalies: readonly Anomaly[];
	now: number;
}

interface KnownRoom {
	citation: Citation;
	name: string;
	value: number;
	capacity: number;
	stale: boolean;
}

const WORDS = {
	en: {
		unknown:
			'I can tell the least or most crowded room, how many people are in a room, the warmest or coldest room, the stuffiest one, and the latest alerts.',
		nothing: 'Nothing current is known about that: no sensor of your buildings measures it, or none was heard of in the last five minutes.',
		least: (room: string, people: string, share: string) => `${room} is the least crowded: ${people}, ${share} of its capacity.`,
		most: (room: string, people: string, share: string) => `${room} is the most crowded: ${people}, ${share} of its capacity.`,
		people: (count: number) => (count === 1 ? '1 person' : `${count} people`),
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, which holds ${capacity}.`,
		overall: (people: string, rooms: number, of: number) => `${people} in ${rooms} of ${of} rooms; of the others nothing current is known.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} rooms.`,
		extreme: { warmest: 'the warmest', coldest: 'the coldest', 'worst-air': 'the stuffiest' },
		is: (room: string, what: string, value: string) => `${room} is ${what}: ${value}.`,
		noAlerts: 'There was no alert.',
		alerts: (list: string) => `The latest alerts: ${list}.`,
		left: (count: number) => ` (${count} rooms without a current value were left out.)`,
	},
	it: {
		unknown:
			"So dire qual è la stanza meno o più affollata, quante persone ci sono in una stanza, la stanza più calda o più fredda, quella con l'aria peggiore e gli ultimi allarmi.",
		nothing: 'Non se ne sa nulla di attuale: nessun sensore dei tuoi edifici lo misura, o nessuno si è fatto sentire negli ultimi cinque minuti.',
		least: (room: string, people: string, share: string) => `${room} è la meno affollata: ${people}, ${share} della capienza.`,
		most: (room: string, people: string, share: string) => `${room} è la più affollata: ${people}, ${share} della capienza.`,
		people: (count: number) => (count === 1 ? '1 persona' : `${count} persone`),
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, che ne contiene ${capacity}.`,
		overall: (people: string, rooms: number, of: number) => `${people} in ${rooms} stanze su ${of}; delle altre non si sa nulla di attuale.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} stanze.`,
		extreme: { warmest: 'la più calda', coldest: 'la più fredda', 'worst-air': "quella con l'aria peggiore" },
		is: (room: string, what: string, value: string) => `${room} è ${what}: ${value}.`,
		noAlerts: 'Non ci sono stati allarmi.',
		alerts: (list: string) => `Gli ultimi allarmi: ${list}.`,
		left: (count: number) => ` (${count} stanze senza un valore attuale non sono contate.)`,
	},
};

const EXTREMES: Partial<Record<Intent, { metric: MetricKey; highest: boolean }>> = {
	warmest: { metric: 'temperature', highest: true },
	coldest: { metric: 'temperature', highest: false },
	'worst-air': { metric: 'co2', highest: true },
};
const MOST_ALERTS = 5;

/** Answers from what was measured, and from nothing else. Rooms without a current value are left out, and that is said: unknown is not 0. */
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

/** Every room of the asker's, with its value where one is known. */
function roomsWith(metric: MetricKey, { buildings, now }: Facts): { rooms: KnownRoom[]; missing: number } {
	const rooms: KnownRoom[] = [];
	let missing = 0;
	for (const { building, latest } of buildings) {
		for (const room of building.rooms) {
			const sensors = latest.filter((one) => one.roomId === room.id && one.metric === metric);
			const value = roomValue(metric, sensors, now);
			if (!value || value.stale) {
				missing++;
				continue;
			}
			const name = buildings.length > 1 ? `${room.name} (${building.name})` : room.name;
			rooms.push({
				citation: { id: `${building.id}/${room.id}`, kind: 'room', label: name },
				name,
				value: value.value,
				capacity: room.capacity,
				stale: false,
			});
		}
	}
	return { rooms, missing };
}

function crowded(intent: 'least-crowded' | 'most-crowded', language: Language, facts: Facts): Answer {
	const words = WORDS[language];
	const { rooms, missing } = roomsWith('peopleCount', facts);
	const holding = rooms.filter(({ capacity }) => capacity > 0);
	const share = (room: KnownRoom) => room.value / room.capacity;
	const [first] = holding.toSorted((a, b) => (intent === 'least-crowded' ? share(a) - share(b) : share(b) - share(a)));
	if (!first) return { answer: words.nothing, citations: [], grounded: false };
	const say = intent === 'least-crowded' ? words.least : words.most;
	const percent = `${Math.round(share(first) * 100)} %`;
	return {
		answer: say(first.name, words.people(first.value), percent) + (missing > 0 ? words.left(missing) : ''),
		citations: [first.citation],
		grounded: true,
	};
}

function howMany(text: string, language: Language, facts: Facts): Answer {
	const words = WORDS[language];
	const lower = text.toLowerCase();
	const { rooms, missing } = roomsWith('peopleCount', facts);
	const named = facts.buildings
		.flatMap(({ building }) => building.rooms)
		.filter(({ id, name }) => lower.includes(name.toLowerCase()) || mentions(lower, id));
	if (named.length > 0) {
		const [longest] = named.toSorted((a, b) => b.name.length - a.name.length);
		const room = rooms.find(({ citation }) => citation.id.endsWith(`/${longest!.id}`));
		if (!room) return { answer: words.nothing, citations: [], grounded: false };
		return { answer: words.inRoom(room.name, words.people(room.value), room.capacity), citations: [room.citation], grounded: true };
	}
	if (rooms.length === 0) return { answer: words.nothing, citations: [], grounded: false };
	const people = words.people(rooms.reduce((sum, { value }) => sum + value, 0));
	const said = missing > 0 ? words.overall(people, rooms.length, rooms.length + missing) : words.overallAll(people, rooms.length);
	return { answer: said, citations: rooms.map(({ citation }) => citation), grounded: true };
}

/** An id as a word of its own: "lab" is not mentioned by "available". */
function mentions(lower: string, id: string): boolean {
	const words = lower.split(/[^\p{L}\p{N}._:-]+/u);
	return words.includes(id.toLowerCase()) || words.includes(`${id.toLowerCase()}.`);
}

function extreme(intent: 'warmest' | 'coldest' | 'worst-air', language: Language, facts: Facts): Answer {
	const words = WORDS[language];
	const { metric, highest } = EXTREMES[intent]!;
	const { rooms, missing } = roomsWith(metric, facts);
	const [first] = rooms.toSorted((a, b) => (highest ? b.value - a.value : a.value - b.value));
	if (!first) return { answer: words.nothing, citations: [], grounded: false };
	const { unit, decimals } = METRICS[metric];
	const value = `${first.value.toLocaleString(language, { maximumFractionDigits: decimals })} ${unit === 'degC' ? '°C' : unit}`;
	return {
		answer: words.is(first.name, words.extreme[intent], value) + (missing > 0 ? words.left(missing) : ''),
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
