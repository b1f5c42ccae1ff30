import { describe, expect, it } from 'vitest';
import { FRESHNESS_MS } from '../reading/freshness.ts';
import { roomValue } from './room-value.ts';

const NOW = 1_764_000_000_000;
const sensor = (sensorId: string, value: number, ageMs = 0) => ({ sensorId, value, observedAt: NOW - ageMs });

describe('the value of a room', () => {
	it('is unknown, not 0, without a sensor', () => {
		expect(roomValue('peopleCount', [], NOW)).toBeUndefined();
	});

	it('is what the sensors say last for a count, their mean for a temperature, the worst for the air', () => {
		const sensors = [sensor('a', 10, 2000), sensor('b', 30, 1000)];
		expect(roomValue('peopleCount', sensors, NOW)).toMatchObject({
			value: 30,
			sensorId: 'b',
			unit: 'person',
			stale: false,
		});
		expect(roomValue('temperature', sensors, NOW)).toMatchObject({ value: 20, unit: 'degC' });
		expect(roomValue('co2', [sensor('a', 900, 2000), sensor('b', 700)], NOW)).toMatchObject({
			value: 900,
			sensorId: 'a',
			observedAt: NOW - 2000,
		});
		expect(roomValue('peopleIn', sensors, NOW)).toMatchObject({ value: 40 });
	});

	it('leaves a silent sensor out while another speaks, and is stale only when all are silent', () => {
		const silent = sensor('silent', 50, FRESHNESS_MS + 1);
		expect(roomValue('temperature', [silent, sensor('live', 20)], NOW)).toMatchObject({ value: 20, stale: false });
		expect(roomValue('temperature', [silent], NOW)).toMatchObject({
			value: 50,
			stale: true,
			observedAt: silent.observedAt,
		});
	});

	it('names every sensor where there are several', () => {
		expect(roomValue('co2', [sensor('a', 1)], NOW)).not.toHaveProperty('sensors');
		expect(roomValue('co2', [sensor('a', 1), sensor('b', 2)], NOW)?.sensors).toHaveLength(2);
	});
});
