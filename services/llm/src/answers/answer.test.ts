import type { RetainedBuilding } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import type { AnomalyDocument, LatestOfRoom } from '../store.ts';
import { answer, type Facts } from './answer.ts';
import { understand } from './question.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
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
const said = (roomId: string, metric: LatestOfRoom['metric'], value: number, age = 0): LatestOfRoom => ({
	roomId,
	metric,
	value,
	sensorId: `${roomId}-${metric}`,
	observedAt: NOW - age,
});
const facts = (latest: LatestOfRoom[], more: Partial<Facts> = {}): Facts => ({
	buildings: [{ building, latest }],
	anomalies: [],
	now: NOW,
	...more,
});
const ask = (question: string, from: Facts) => answer(understand(question), question, from);

describe('answers without a model', () => {
	it('calls the room with the smallest share of its capacity the least crowded, not the one with the fewest people', () => {
		const told = ask(
			'Which room is the least crowded?',
			facts([said('hall', 'peopleCount', 20), said('lab', 'peopleCount', 9), said('cafe', 'peopleCount', 25)]),
		);
		expect(told).toMatchObject({ grounded: true, citations: [{ id: 'b1/hall', kind: 'room', label: 'Main hall' }] });
		expect(told.answer).toContain('20 people');
	});

	it('does not take a room it knows nothing current of for an empty one, and says that it left it out', () => {
		const told = ask(
			'which room is the least crowded',
			facts([said('hall', 'peopleCount', 20), said('lab', 'peopleCount', 0, 3600_000)]),
		);
		expect(told.citations[0]?.id).toBe('b1/hall');
		expect(told.answer).toContain('2 rooms without a current value');
	});

	it('says that nothing is known, ungrounded, when nothing is', () => {
		expect(ask('which room is the least crowded?', facts([]))).toMatchObject({ grounded: false, citations: [] });
		expect(ask('what is the meaning of life?', facts([said('hall', 'peopleCount', 1)]))).toMatchObject({
			grounded: false,
			citations: [],
		});
	});

	it('says of a count that doors made that it is about so many, and between how many', () => {
		const counted = (roomId: string, value: number, low: number, high: number) => ({
			...said(roomId, 'peopleCount', value),
			low,
			high,
		});
		const doors = facts([counted('hall', 23, 19, 28), said('lab', 'peopleCount', 9), counted('cafe', 0, 0, 0)]);
		const told = (question: string) => ask(question, doors).answer;
		expect(told('how many people are in the Main hall?')).toBe(
			'About 23 people (between 19 and 28) in Main hall, which holds 100.',
		);
		expect(told('quante persone ci sono in Main hall?')).toBe(
			'Circa 23 persone (tra 19 e 28) in Main hall, che ne contiene 100.',
		);
		expect(told('how many people are in the lab?')).toBe('9 people in Lab, which holds 10.');
		expect(told('how many people are there?')).toBe('About 32 people (between 28 and 37) in 3 rooms.');
		expect(told('which room is the least crowded?')).toContain('0 people');
	});

	it('understands Italian and answers in it', () => {
		const told = ask(
			'Qual è la stanza più affollata?',
			facts([said('hall', 'peopleCount', 20), said('lab', 'peopleCount', 9)]),
		);
		expect(told.answer).toMatch(/^Lab è la più affollata: 9 persone, 90 %/);
	});

	it.each([
		['how many people are in the lab?', '9 people in Lab, which holds 10.'],
		['How many people are there?', '29 people in 2 of 3 rooms; of the others nothing current is known.'],
		['Which is the warmest room?', 'Café is the warmest: 27.5 °C. (2 rooms without a current value were left out.)'],
		['where is it stuffy?', 'Lab is the stuffiest: 1,400 ppm. (2 rooms without a current value were left out.)'],
	])('%s', (question, expected) => {
		const latest = [
			said('hall', 'peopleCount', 20),
			said('lab', 'peopleCount', 9),
			said('cafe', 'temperature', 27.5),
			said('lab', 'co2', 1400),
		];
		expect(ask(question, facts(latest)).answer).toBe(expected);
	});

	it('lists alerts with their citation', () => {
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
			[said('lab', 'peopleCount', 9, 3 * MINUTE)],
			'9 people in Lab, which holds 10. Last heard 3 minutes ago.',
			true,
		],
		[
			'how many people are in the lab?',
			[said('lab', 'peopleCount', 9, 12 * MINUTE)],
			'9 people in Lab when last heard 12 minutes ago; how many are there now is not known.',
			true,
		],
		[
			'how many people are in the lab?',
			[{ ...said('lab', 'peopleCount', 9, MINUTE), offlineAt: NOW - 1000 }],
			'9 people in Lab when last heard 1 minute ago; how many are there now is not known. Its sensor is offline.',
			true,
		],
		[
			'how many people are in the lab?',
			[],
			'How many people are in Lab is not known: no sensor has counted them there.',
			false,
		],
		[
			'which is the warmest room?',
			[{ ...said('lab', 'temperature', 21), unchangedSince: NOW - 13 * 60 * MINUTE }],
			'Lab is the warmest: 21 °C. Its sensor has said the same for 13 hours and may be broken. (2 rooms without a current value were left out.)',
			true,
		],
		[
			'which is the warmest room?',
			[said('lab', 'temperature', 21, 12 * MINUTE)],
			'Nothing current is known about that: no sensor of your buildings measures it, or none was heard of lately. Last heard 12 minutes ago.',
			false,
		],
		['qual è la stanza più calda?', [said('lab', 'temperature', 21, 2 * MINUTE)], 'Ultimo dato: 2 minuti fa.', true],
	])('P8 speak a value with its freshness: %s', (question, latest, expected, grounded) => {
		const told = ask(question, facts(latest));
		expect(told.answer).toContain(expected);
		expect(told.grounded).toBe(grounded);
	});
});
