import { MetricCatalog, type RetainedBuilding } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import type { AnomalyDocument, LatestOfRoom } from '../store.ts';
import { answer, type Facts } from './answer.ts';
import { understand } from './question.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const CATALOG = new MetricCatalog([
	{ key: 'voltage', unit: 'V', min: 0, max: 400, decimals: 1, name: { en: 'Mains voltage', it: 'Tensione di rete' } },
]);
const building: RetainedBuilding = {
	id: 'b1',
	name: 'North',
	domains: ['d'],
	rooms: [
		{ id: 'hall', name: 'Main hall', capacity: 100 },
		{ id: 'lab', name: 'Lab', capacity: 10 },
		{ id: 'cafe', name: 'Café', capacity: 50 },
	],
};
const latestOf = (roomId: string, metric: LatestOfRoom['metric'], value: number, age = 0): LatestOfRoom => ({
	roomId,
	metric,
	value,
	sensorId: `${roomId}-${metric}`,
	observedAt: NOW - age,
});
const facts = (latest: LatestOfRoom[], more: Partial<Facts> = {}): Facts => ({
	buildings: [{ building, latest }],
	anomalies: [],
	catalog: CATALOG,
	now: NOW,
	...more,
});
const ask = (question: string, from: Facts) => answer(understand(question, from.catalog), question, from);

describe('answer', () => {
	it('names the room with the smallest share of its capacity as the least crowded', () => {
		const answered = ask(
			'Which room is the least crowded?',
			facts([
				latestOf('hall', 'peopleCount', 20),
				latestOf('lab', 'peopleCount', 9),
				latestOf('cafe', 'peopleCount', 25),
			]),
		);
		expect(answered).toMatchObject({
			grounded: true,
			citations: [{ id: 'b1/hall', kind: 'room', label: 'Main hall' }],
		});
		expect(answered.answer).toContain('20 people');
	});

	it.each([
		['What is the mains voltage in the lab?', 'Mains voltage in Lab: 229.4 V.', ['b1/lab']],
		['voltage?', 'Mains voltage in Main hall: 231 V. Mains voltage in Lab: 229.4 V.', ['b1/hall', 'b1/lab']],
		['Where is the mains voltage highest?', 'Mains voltage is highest in Main hall: 231 V.', ['b1/hall']],
		['Dove la tensione di rete è più bassa?', 'Tensione di rete: il valore più basso è in Lab, 229,4 V.', ['b1/lab']],
		['Qual è la tensione di rete nella main hall?', 'Tensione di rete in Main hall: 231 V.', ['b1/hall']],
		['mains voltage in the café', 'Mains voltage in Café is not known: no sensor has measured it there.', []],
	])('tells of a metric that a configuration defines: %s', (question, text, cited) => {
		const answered = ask(question, facts([latestOf('hall', 'voltage', 231), latestOf('lab', 'voltage', 229.4)]));
		expect(answered.answer).toContain(text);
		expect(answered.citations.map(({ id }) => id)).toEqual(cited);
	});

	it('leaves out a room without a current value, and says so', () => {
		const answered = ask(
			'which room is the least crowded',
			facts([latestOf('hall', 'peopleCount', 20), latestOf('lab', 'peopleCount', 0, 3600_000)]),
		);
		expect(answered.citations[0]?.id).toBe('b1/hall');
		expect(answered.answer).toContain('2 rooms without a current value');
	});

	it.each([
		['how many people are in the lab of south?', 'The number of people in Lab is not known'],
		['how many people are in the lab of north?', '9 people in Lab (North)'],
		['how many people are in the south wing lab?', '3 people in South wing lab (South)'],
		['how many people are in s1 hall?', '5 people in Main hall (South)'],
		['how many people are in the main hall?', '20 people in Main hall (North)'],
	])('is about the room that is named, in the building that is named: %s', (question, text) => {
		const rooms = [
			{ id: 'hall', name: 'Main hall', capacity: 30 },
			{ id: 'lab', name: 'Lab', capacity: 10 },
			{ id: 'wing', name: 'South wing lab', capacity: 10 },
		];
		const south: RetainedBuilding = { id: 's1', name: 'South', domains: ['d'], rooms };
		const answered = ask(question, {
			...facts([]),
			buildings: [
				{ building, latest: [latestOf('hall', 'peopleCount', 20), latestOf('lab', 'peopleCount', 9)] },
				{ building: south, latest: [latestOf('hall', 'peopleCount', 5), latestOf('wing', 'peopleCount', 3)] },
			],
		});
		expect(answered.answer).toContain(text);
	});

	it('is not grounded when nothing is known', () => {
		expect(ask('which room is the least crowded?', facts([]))).toMatchObject({ grounded: false, citations: [] });
		expect(ask('what is the meaning of life?', facts([latestOf('hall', 'peopleCount', 1)]))).toMatchObject({
			grounded: false,
			citations: [],
		});
	});

	it('states the interval of a count made by doors', () => {
		const counted = (roomId: string, value: number, low: number, high: number) => ({
			...latestOf(roomId, 'peopleCount', value),
			low,
			high,
		});
		const doors = facts([counted('hall', 23, 19, 28), latestOf('lab', 'peopleCount', 9), counted('cafe', 0, 0, 0)]);
		const answered = (question: string) => ask(question, doors).answer;
		expect(answered('how many people are in the Main hall?')).toBe(
			'About 23 people (between 19 and 28) in Main hall, which holds 100.',
		);
		expect(answered('quante persone ci sono in Main hall?')).toBe(
			'Circa 23 persone (tra 19 e 28) in Main hall, che ne contiene 100.',
		);
		expect(answered('how many people are in the lab?')).toBe('9 people in Lab, which holds 10.');
		expect(answered('how many people are there?')).toBe('About 32 people (between 28 and 37) in 3 rooms.');
		expect(answered('which room is the least crowded?')).toContain('0 people');
	});

	it('is in Italian for an Italian question', () => {
		const answered = ask(
			'Qual è la stanza più affollata?',
			facts([latestOf('hall', 'peopleCount', 20), latestOf('lab', 'peopleCount', 9)]),
		);
		expect(answered.answer).toMatch(/^Lab è la più affollata: 9 persone, 90 %/);
	});

	it.each([
		['how many people are in the lab?', '9 people in Lab, which holds 10.'],
		['How many people are there?', '29 people in 2 of 3 rooms; the others have no current value.'],
		['Which is the warmest room?', 'Café is the warmest: 27.5 °C. (2 rooms without a current value are left out.)'],
		['where is it stuffy?', 'Lab is the stuffiest: 1,400 ppm. (2 rooms without a current value are left out.)'],
	])('answers %j with %j', (question, expected) => {
		const latest = [
			latestOf('hall', 'peopleCount', 20),
			latestOf('lab', 'peopleCount', 9),
			latestOf('cafe', 'temperature', 27.5),
			latestOf('lab', 'co2', 1400),
		];
		expect(ask(question, facts(latest)).answer).toBe(expected);
	});

	it('lists alerts with their citations', () => {
		const anomalies: AnomalyDocument[] = [
			{
				id: 'a1',
				buildingId: 'b1',
				roomId: 'lab',
				kind: 'occupancy',
				state: 'open',
				value: 12,
				limit: 10,
				observedAt: NOW,
				message: 'Lab is too full',
			},
		];
		expect(ask('Any alerts?', facts([], { anomalies }))).toEqual({
			answer: 'The latest alerts: Lab is too full (open).',
			citations: [{ id: 'a1', kind: 'alert', label: 'Lab is too full' }],
			grounded: true,
		});
	});

	it.each<[question: string, from: LatestOfRoom[], expected: string, grounded: boolean]>([
		[
			'how many people are in the lab?',
			[latestOf('lab', 'peopleCount', 9, 3 * MINUTE)],
			'9 people in Lab, which holds 10. Last value 3 minutes ago.',
			true,
		],
		[
			'how many people are in the lab?',
			[latestOf('lab', 'peopleCount', 9, 12 * MINUTE)],
			'9 people in Lab at the last count, 12 minutes ago; the current number is not known.',
			true,
		],
		[
			'how many people are in the lab?',
			[{ ...latestOf('lab', 'peopleCount', 9, MINUTE), offlineAt: NOW - 1000 }],
			'9 people in Lab at the last count, 1 minute ago; the current number is not known. Its sensor is offline.',
			true,
		],
		[
			'how many people are in the lab?',
			[],
			'The number of people in Lab is not known: no sensor has counted them there.',
			false,
		],
		[
			'which is the warmest room?',
			[{ ...latestOf('lab', 'temperature', 21), unchangedSince: NOW - 13 * 60 * MINUTE }],
			'Lab is the warmest: 21 °C. Its sensor has sent the same value for 13 hours and may be broken. ' +
				'(2 rooms without a current value are left out.)',
			true,
		],
		[
			'which is the warmest room?',
			[latestOf('lab', 'temperature', 21, 12 * MINUTE)],
			'There is no current value for that: no sensor in your buildings measures it, or none has sent a value lately. ' +
				'Last value 12 minutes ago.',
			false,
		],
		[
			'qual è la stanza più calda?',
			[latestOf('lab', 'temperature', 21, 2 * MINUTE)],
			'Ultimo dato: 2 minuti fa.',
			true,
		],
	])('P8 states how fresh a value is: %s', (question, latest, expected, grounded) => {
		const answered = ask(question, facts(latest));
		expect(answered.answer).toContain(expected);
		expect(answered.grounded).toBe(grounded);
	});
});

describe('P14 several counters of one room: an answer', () => {
	const hall = { ...building.rooms[0]!, combine: { peopleCount: 'sum' as const } };
	const summed = { ...building, rooms: [hall, ...building.rooms.slice(1)] };
	const part = (sensorId: string, value: number, age = 0) => ({
		...latestOf('hall', 'peopleCount', value, age),
		sensorId,
	});
	const about = (question: string, ...latest: LatestOfRoom[]) =>
		ask(question, facts([], { buildings: [{ building: summed, latest }] })).answer;

	it('gives their sum', () => {
		expect(about('How many people are in the main hall?', part('east', 7), part('west', 8))).toBe(
			'15 people in Main hall, which holds 100.',
		);
	});

	it('says in both languages that the sum is incomplete while one is silent', () => {
		const parts = [part('east', 7, 10 * MINUTE), part('west', 8)];
		expect(about('How many people are in the main hall?', ...parts)).toBe(
			'8 people in Main hall, which holds 100. Incomplete: 1 of 2 counters is silent, so there may be more.',
		);
		expect(about('Quante persone ci sono nella main hall?', ...parts)).toContain(
			'Incompleto: 1 di 2 contatori senza dati',
		);
		expect(about('How many people are there?', ...parts)).toContain('Incomplete, as counters are silent: Main hall.');
	});
});
