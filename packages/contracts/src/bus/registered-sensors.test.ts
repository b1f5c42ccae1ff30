import { describe, expect, it } from 'vitest';
import { SensorsById, sensorKey } from './registered-sensors.ts';

const EYE = { sensorId: 'eye', buildingId: 'b1' };

describe('P14 the key of a sensor', () => {
	it('is its id, also where its own entry has it, and names the building where another sensor has the id', () => {
		expect(sensorKey(EYE, undefined)).toBe('eye');
		expect(sensorKey(EYE, EYE)).toBe('eye');
		expect(sensorKey(EYE, { sensorId: 'eye', buildingId: 'b2' })).toBe('b1/eye');
	});
});

describe('P14 sensors of one id', () => {
	it('stand side by side, each replaced and removed by its own key only', () => {
		const sensors = new SensorsById<typeof EYE & { roomId?: string }>();
		sensors.set('eye', EYE);
		sensors.set('b2/eye', { sensorId: 'eye', buildingId: 'b2' });
		sensors.set('eye', { ...EYE, roomId: 'hall' });
		expect(sensors.of('eye')).toHaveLength(2);
		expect(sensors.in('b1', 'eye')).toEqual({ ...EYE, roomId: 'hall' });
		sensors.set('eye', undefined);
		sensors.set('eye', undefined);
		expect(sensors.of('eye')).toEqual([{ sensorId: 'eye', buildingId: 'b2' }]);
		expect([...sensors].map(([key]) => key)).toEqual(['b2/eye']);
		sensors.set('b2/eye', undefined);
		expect(sensors.of('eye')).toEqual([]);
		expect(sensors.of('__proto__')).toEqual([]);
	});
});
