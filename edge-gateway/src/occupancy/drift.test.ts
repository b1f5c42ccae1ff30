import { describe, expect, it } from 'vitest';
import { counted, crossings, type DoorBias, seeded } from '../testing/crowd.ts';
import { Occupancy } from './occupancy.ts';

const DAYS = 30;
const DOORS = 4;
const BIAS = 0.07;
const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const MINUTE_MS = 60_000;
/** As a share of the crossings since the room was zeroed. Without learning from the nights it is about 28 %. */
const WIDEST_MEDIAN = 0.12;
const RECORD = { offset: 0, receivedAt: 0 };

interface Outcome {
	/** Shares of readings, and of the minutes from 7 to 22 o'clock, in which the truth was inside the interval. */
	ofReadings: number;
	ofTime: number;
	/** Median of the interval's width as a share of what was counted since the room was zeroed, from 100 crossings on. */
	width: number;
}

/** Thirty days of a room with four doors, each off by its bias, zeroed every night at 04:00. */
function run(seed: number, biases: readonly DoorBias[]): Outcome {
	const random = seeded(seed);
	const truth = crossings(DAYS, DOORS, random);
	const messages = counted(truth, biases, random);
	const occupancy = new Occupancy();
	const widths: number[] = [];
	const readings = { inside: 0, all: 0 };
	const minutes = { inside: 0, all: 0 };
	const start = Math.floor(truth[0]!.at / DAY_MS) * DAY_MS;
	let minute = start + 7 * HOUR_MS;
	let crossed = 0;
	let next = 0;
	let people = 0;
	const isInside = (until: number, { low, high }: { low: number; high: number }) => {
		for (; next < truth.length && truth[next]!.at <= until; next++) people += truth[next]!.direction === 'in' ? 1 : -1;
		return people >= low && people <= high;
	};
	for (const { at, door, direction, count } of messages) {
		for (; minute < at; minute += MINUTE_MS) {
			const hour = (minute % DAY_MS) / HOUR_MS;
			if (hour === 4) {
				expect(isInside(minute, { low: 0, high: 0 })).toBe(true);
				occupancy.apply('b', 'r', { kind: 'known', why: 'zeroing', count: 0, at: minute }, RECORD).stored();
				crossed = 0;
			}
			const room = occupancy.room('b', 'r');
			if (!room || hour < 7 || hour >= 22) continue;
			minutes.all++;
			if (isInside(minute, room.interval)) minutes.inside++;
		}
		const applied = occupancy.apply(
			'b',
			'r',
			{ kind: 'crossings', door: `door-${door}`, direction, count, at, receivedAt: at },
			RECORD,
		);
		applied.stored();
		readings.all++;
		if (isInside(at, applied.interval)) readings.inside++;
		crossed += count;
		if (crossed >= 100) widths.push((applied.interval.high - applied.interval.low) / crossed);
	}
	widths.sort((a, b) => a - b);
	return {
		ofReadings: readings.inside / readings.all,
		ofTime: minutes.inside / minutes.all,
		width: widths[widths.length >> 1]!,
	};
}

const everyDoor = (bias: DoorBias) => Array.from({ length: DOORS }, () => bias);

describe('P9 the interval of a room', () => {
	it.each(Array.from({ length: 5 }, (_, n) => n + 1))(
		'contains the truth for 30 days with four doors, each off by up to 7 % in and out independently (draw %d)',
		(seed) => {
			const random = seeded(seed * 7919);
			const draw = () => (random() * 2 - 1) * BIAS;
			const { ofReadings, ofTime, width } = run(
				seed,
				Array.from({ length: DOORS }, () => ({ in: draw(), out: draw() })),
			);
			expect(ofReadings).toBeGreaterThanOrEqual(0.95);
			expect(ofTime).toBeGreaterThanOrEqual(0.95);
			expect(width).toBeLessThan(WIDEST_MEDIAN);
		},
	);

	it.each([
		['7 % too many in and too few out', { in: BIAS, out: -BIAS }],
		['7 % too few in and too many out', { in: -BIAS, out: BIAS }],
		['7 % too many both ways', { in: BIAS, out: BIAS }],
		['7 % too few both ways', { in: -BIAS, out: -BIAS }],
		['7 % too many in alone', { in: BIAS, out: 0 }],
		['not at all', { in: 0, out: 0 }],
	])('contains the truth if every door is off by the same: %s', (_, bias) => {
		const { ofReadings, ofTime, width } = run(99, everyDoor(bias));
		expect(ofReadings).toBeGreaterThanOrEqual(0.95);
		expect(ofTime).toBeGreaterThanOrEqual(0.95);
		expect(width).toBeLessThan(WIDEST_MEDIAN);
	});

	it('becomes narrower by what is learned at each zeroing', () => {
		const occupancy = new Occupancy();
		const dayWith = (day: number) => {
			let widest = 0;
			for (const [direction, count] of [
				['in', 1070],
				['out', 1000],
			] as const) {
				const at = day * DAY_MS + MINUTE_MS;
				const { interval } = occupancy.apply(
					'b',
					'r',
					{ kind: 'crossings', door: 'door', direction, count, at, receivedAt: at },
					RECORD,
				);
				widest = interval.high - interval.low;
			}
			occupancy.apply('b', 'r', { kind: 'known', why: 'zeroing', count: 0, at: (day + 1) * DAY_MS }, RECORD);
			return widest;
		};
		const widths = Array.from({ length: 10 }, (_, day) => dayWith(day));
		expect(widths[9]).toBeLessThan(widths[0]! / 2);
	});

	it('learns nothing about doors from the time before the count was first known', () => {
		const occupancy = new Occupancy();
		const change = {
			kind: 'crossings',
			door: 'door',
			direction: 'in',
			count: 1000,
			at: 1000,
			receivedAt: 1000,
		} as const;
		const { interval: before } = occupancy.apply('b', 'r', change, RECORD);
		occupancy.apply('b', 'r', { kind: 'known', why: 'correction', count: 0, at: 2000 }, RECORD);
		expect(occupancy.apply('b', 'r', { ...change, at: 3000 }, RECORD).interval).toEqual(before);
	});
});
