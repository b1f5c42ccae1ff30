import { incomingReading, METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { KIND_NAMES, KINDS } from '../kinds/index.ts';
import { SimulatedBuilding } from '../world/building.ts';
import { createDevice, type Sample, type SensorPlan } from './device.ts';

const MORNING = Date.UTC(2026, 10, 23, 8);
const MINUTE = 60_000;
const plan = { id: 'b', rooms: [{ id: 'hall', capacity: 120 }] };
const sensors: SensorPlan[] = KIND_NAMES.map((kind) => ({ sensorId: `hall-${kind}`, roomId: 'hall', kind }));

function samples(seed: number, minutes: number): Sample[] {
	const device = createDevice(sensors, new SimulatedBuilding(plan, seed), seed);
	return Array.from({ length: minutes }, (_, minute) => device.sample(MORNING + minute * MINUTE)).flat();
}

describe('a device', () => {
	it('measures the same for the same seed and clock', () => {
		expect(samples(7, 300)).toEqual(samples(7, 300));
		expect(samples(7, 300)).not.toEqual(samples(8, 300));
	});

	it('produces samples that the contract accepts, in the metrics of its kind and within their hard ranges', () => {
		for (const sample of samples(7, 12 * 60)) {
			expect(incomingReading.problem(sample)).toBeUndefined();
			const { min, max, unit } = METRICS[sample.metric];
			expect(sample.unit).toBe(unit);
			expect(sample.value).toBeGreaterThanOrEqual(min);
			expect(sample.value).toBeLessThanOrEqual(max);
			const kind = KIND_NAMES.find((name) => sample.sensorId === `hall-${name}`)!;
			expect(KINDS[kind].metrics).toContain(sample.metric);
		}
	});

	it('counts crossings that add up to the people in the room, never below zero or above the true number', () => {
		for (const seed of [1, 2, 3]) {
			const building = new SimulatedBuilding(plan, seed);
			const device = createDevice([{ sensorId: 'hall-door', roomId: 'hall', kind: 'door' }], building, seed);
			let count = 0;
			let before = 0;
			for (let minute = 0; minute < 14 * 60; minute++) {
				const now = MORNING + minute * MINUTE;
				if (minute === 200) building.crowd('hall', 150, now);
				if (minute === 230) building.crowd('hall', undefined, now);
				const truth = building.room('hall', now).people;
				for (const { metric, value } of device.sample(now)) {
					count += metric === 'peopleIn' ? value : -value;
					expect(count).toBeGreaterThanOrEqual(0);
					expect(count).toBeLessThanOrEqual(Math.max(before, truth));
				}
				expect(count).toBe(truth);
				before = truth;
			}
		}
	});

	it('sends something from every sensor even when nothing happens', () => {
		const device = createDevice(sensors, new SimulatedBuilding(plan, 7), 7);
		const night = MORNING + 18 * 60 * MINUTE;
		device.sample(night);
		const senders = new Set(device.sample(night + 1000).map((sample) => sample.sensorId));
		expect([...senders]).toEqual(sensors.map((sensor) => sensor.sensorId));
	});
});
