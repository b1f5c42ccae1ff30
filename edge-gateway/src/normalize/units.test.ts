import { METRIC_KEYS, METRICS, type MetricDefinition, type MetricKey } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCatalogUnit } from './units.ts';

const definition = (metric: MetricKey): MetricDefinition => METRICS[metric];

describe('units', () => {
	it.each<[MetricKey, number, string, number]>([
		['temperature', 70, 'degF', 21.111111],
		['temperature', -40, '°F', -40],
		['temperature', 300, 'K', 26.85],
		['temperature', 21.5, 'Cel', 21.5],
		['humidity', 0.4, '/', 40],
		['pm25', 0.0123, 'mg/m3', 12.3],
		['pressure', 101_325, 'Pa', 1013.25],
		['voc', 0.25, 'ppm', 250],
		['illuminance', 1.5, 'klx', 1500],
		['peopleIn', 3, 'people', 3],
	])('%s of %d %s is %d in the unit of the catalog', (metric, value, unit, expected) => {
		expect(toCatalogUnit(definition(metric), value, unit)).toBe(expected);
	});

	it("leave a value in the catalog's unit, or without a unit, as it is", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...METRIC_KEYS),
				fc.double({ min: 0, max: 1, noNaN: true }),
				fc.boolean(),
				(metric, share, named) => {
					const { min, max, unit } = definition(metric);
					const value = min + share * (max - min);
					expect(toCatalogUnit(definition(metric), value, named ? unit : undefined)).toBe(value);
				},
			),
		);
	});

	it('refuse a unit that the metric is not measured in, and list those that it is', () => {
		expect(toCatalogUnit(definition('co2'), 400, 'degC')).toEqual({ path: '/unit', message: 'must be one of ppm' });
		expect(toCatalogUnit(definition('humidity'), 40, '')).toEqual({
			path: '/unit',
			message: 'must be one of %, percent, %RH, /',
		});
		for (const unit of ['constructor', 'toString', '__proto__'])
			expect(toCatalogUnit(definition('temperature'), 1, unit)).toHaveProperty('path', '/unit');
	});

	it('refuse a converted value outside the hard range, and accept one on its edge', () => {
		for (const metric of METRIC_KEYS) {
			const { min, max, unit, clipAbove = max } = definition(metric);
			const refused = { path: '/value', message: `must be from ${min} to ${max} ${unit}` };
			expect(toCatalogUnit(definition(metric), min, undefined)).toBe(min);
			expect(toCatalogUnit(definition(metric), max, undefined)).toBe(max);
			expect(toCatalogUnit(definition(metric), min - 0.001, undefined)).toEqual(refused);
			expect(toCatalogUnit(definition(metric), clipAbove + 0.001, undefined)).toEqual(refused);
		}
		expect(toCatalogUnit(definition('temperature'), 250, 'degF')).toBe(121.111111);
		expect(toCatalogUnit(definition('temperature'), 0, 'K')).toHaveProperty('path', '/value');
	});
});
