import { describe, expect, it } from 'vitest';
import { BUILT_IN_METRICS, type CustomMetric, MetricCatalog } from './metric-catalog.ts';
import { METRIC_KEYS } from './metrics.ts';
import { quantity } from './quantity.ts';

const POWER: CustomMetric = { key: 'power', unit: 'W', min: 0, max: 5000, name: { en: 'Power', it: 'Potenza' } };
const converted = (unit: string, from: string, value: number) =>
	new MetricCatalog([{ ...POWER, unit }]).definition('power')!.accepts![from]!(value);

describe('the metric catalog', () => {
	it('has the built-in metrics first, then configured ones, and describes any other key without failing', () => {
		const catalog = new MetricCatalog([POWER]);
		expect(catalog.keys()).toEqual([...METRIC_KEYS, 'power']);
		expect(catalog.definition('power')).toMatchObject({ unit: 'W', decimals: 1, combine: 'mean' });
		for (const key of ['constructor', '__proto__', 'toString', 'unheard']) {
			expect(catalog.definition(key)).toBeUndefined();
			expect(catalog.describe(key)).toMatchObject({ unit: '', combine: 'last', label: { en: key } });
		}
	});

	it.each<[CustomMetric['kind'], string, number]>([
		['gauge', 'mean', 1],
		['flow', 'sum', 1],
		['state', 'max', 0],
	])('combines the sensors of a room by the kind: %s', (kind, combine, decimals) => {
		const catalog = new MetricCatalog([{ key: 'x', unit: '', min: 0, max: 1, kind: kind! }]);
		expect(catalog.definition('x')).toMatchObject({ combine, decimals, label: { en: 'x', it: 'x' } });
	});

	it('never lets a configured metric replace a built-in one', () => {
		const catalog = new MetricCatalog([{ ...POWER, key: 'co2' }]);
		expect(catalog.definition('co2')!.unit).toBe('ppm');
		expect(catalog.customKeys()).toEqual([]);
	});

	it('keeps the definition of a retired metric, for its history, but not among the metrics of now', () => {
		const catalog = new MetricCatalog([{ ...POWER, gatewayId: 'g', at: 1, retired: true }]);
		expect(catalog.keys()).not.toContain('power');
		expect(catalog.allKeys()).toContain('power');
		expect(catalog.isRetired('power')).toBe(true);
		expect(catalog.definition('power')!.unit).toBe('W');
		catalog.set(POWER);
		expect(catalog.isRetired('power')).toBe(false);
	});

	it.each([
		['V', 'mV', 3005, 3.005],
		['mV', 'V', 3.005, 3005],
		['W', 'kW', 1.25, 1250],
		['kWh', 'Wh', 1500, 1.5],
		['m', 'cm', 182, 1.82],
		['mm', 'm', 0.4, 400],
		['A', 'uA', 250_000, 0.25],
	])('takes the unit of a configured metric with another prefix: %s from %s', (unit, from, value, expected) => {
		expect(converted(unit, from, value)).toBeCloseTo(expected, 9);
	});

	it('converts no unit that takes no prefix', () => {
		expect(new MetricCatalog([{ ...POWER, unit: '%' }]).definition('power')!.accepts).toEqual({});
	});

	it('writes a value with the unit and the digits of its definition', () => {
		expect(quantity('power', 1234.56, 'en', new MetricCatalog([POWER]))).toBe('1,234.6 W');
		expect(quantity('unheard', 1.23456, 'en', BUILT_IN_METRICS)).toBe('1.23');
	});
});
