import { describe, expect, it } from 'vitest';
import type { RoomSamples } from '../live/samples.ts';
import { sensorViews } from './sensor-view.ts';

const NOW = 1_764_000_000_000;
const KEYS = ['peopleCount', 'temperature', 'humidity'];
const SAMPLES: RoomSamples = {
	humidity: {
		unit: '%',
		sensors: [
			{ sensorId: 'z-0a1b2c', sensorName: '客厅', value: 100, clipped: true, observedAt: NOW },
			{ sensorId: 'bath', value: 61, observedAt: NOW - 3600_000 },
		],
	},
	temperature: { unit: 'degC', sensors: [{ sensorId: 'z-0a1b2c', value: 21, observedAt: NOW - 1000 }] },
	voltage: { unit: 'V', sensors: [{ sensorId: 'bath', sensorName: 'Bad', value: 2.9, observedAt: NOW - 1000 }] },
};

describe('P13 the sensors of a room', () => {
	it('are listed by name, each with its values in the order of the columns', () => {
		const views = sensorViews(SAMPLES, KEYS, NOW);
		expect(views.map(({ name, sensorId, values }) => [name, sensorId, values.map(({ key }) => key)])).toEqual([
			['Bad', 'bath', ['humidity', 'voltage']],
			['客厅', 'z-0a1b2c', ['temperature', 'humidity']],
		]);
	});

	it('show which value is at its limit, and which is current', () => {
		const [bath, living] = sensorViews(SAMPLES, KEYS, NOW);
		expect(living!.values.at(-1)).toMatchObject({ value: 100, clipped: true, freshness: 'live' });
		expect(bath!.values[0]).toMatchObject({ value: 61, freshness: 'stale' });
		expect(bath!.values[0]).not.toHaveProperty('clipped');
	});

	it('bear the name that came last', () => {
		const sensor = { sensorId: 's', value: 1 };
		const samples: RoomSamples = {
			co2: { unit: 'ppm', sensors: [{ ...sensor, sensorName: 'Old', observedAt: NOW - 9 }] },
			noise: { unit: 'dB', sensors: [{ ...sensor, sensorName: 'New', observedAt: NOW - 3 }] },
			voc: { unit: 'ppb', sensors: [{ ...sensor, observedAt: NOW - 1 }] },
		};
		expect(sensorViews(samples, KEYS, NOW)).toMatchObject([{ sensorId: 's', name: 'New' }]);
	});

	it('are none in a room without readings', () => {
		expect(sensorViews({}, KEYS, NOW)).toEqual([]);
	});
});
