import { METRICS, type MetricDefinition, type MetricKey } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCatalogUnit } from '../../normalize/units.ts';
import { parseJson, withoutFraming } from './json.ts';
import { isNoValue, numberIn } from './number.ts';

describe('P13 a text in the place of a number', () => {
	it.each([
		['-1.6', -1.6],
		['+5', 5],
		[' 21.5 ', 21.5],
		['21.5\r\n', 21.5],
		['1e3', 1000],
		['2.5E-1', 0.25],
		['.5', 0.5],
		['5.', 5],
		['007', 7],
		['21,5', 21.5],
		['-0,25', -0.25],
		['0,125', 0.125],
		[',5', 0.5],
		['1234,567', 1234.567],
		['1.234,5', 1234.5],
		['1,234.5', 1234.5],
		['1,234,567', 1_234_567],
		['1.234.567', 1_234_567],
		['\u221212.5', -12.5],
		['２１.５', 21.5],
	])('%j is the number %d', (text, value) => {
		expect(numberIn(text)).toEqual({ value });
	});

	it.each([
		['21.5 °C', 21.5, '°C'],
		['70°F', 70, '°F'],
		['48 %', 48, '%'],
		['640ppm', 640, 'ppm'],
		['1013,2 hPa', 1013.2, 'hPa'],
		['12 µg/m³', 12, 'μg/m3'],
	])('%j is %d with the unit %s', (text, value, unit) => {
		expect(numberIn(text)).toEqual({ value, unit });
	});

	it.each([
		'warm',
		'',
		'1,234',
		'12.34.56',
		'1,2,3',
		'0x1f',
		'1_000',
		'12:30',
		'2026-11-30',
		'e3',
		'--5',
		'1e999',
		',',
	])('%j is no number', (text) => {
		expect(numberIn(text)).toBeUndefined();
	});

	it('is read as JavaScript writes any number', () => {
		fc.assert(
			fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (value) => {
				expect(numberIn(String(value))?.value).toBe(value + 0);
			}),
		);
	});

	it('takes time in proportion to its length, and is no number beyond 64 characters', () => {
		fc.assert(fc.property(fc.string({ maxLength: 80 }), (text) => void numberIn(text)));
		expect(numberIn('1'.repeat(65))).toBeUndefined();
	});
});

describe('P13 a word for no value', () => {
	it.each([
		null,
		undefined,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		Number.NEGATIVE_INFINITY,
		'',
		'  ',
		'null',
		'nan',
		'NaN',
		'-nan',
		'nan(ind)',
		'1.#QNAN',
		'Infinity',
		'-Infinity',
		'inf',
		'-inf',
		'unavailable',
		'Unknown',
		'none',
		'None',
		'n/a',
		'N/A',
		'undefined',
		'--',
		'?',
	])('%j says that nothing was measured', (value) => {
		expect(isNoValue(value)).toBe(true);
	});

	it.each([0, -0, 21.5, '0', 'warm', 'off', false, true, {}, []])('%j does not', (value) => {
		expect(isNoValue(value)).toBe(false);
	});
});

describe('P13 JSON as devices write it', () => {
	it.each([
		['{"t":nan}', { t: null }],
		['{"t":-nan,"h":NAN}', { t: null, h: null }],
		['[Infinity,-Infinity,+inf,1]', [null, null, null, 1]],
		['{"nan":"nan","inf":"say \\"inf\\" nan"}', { nan: 'nan', inf: 'say "inf" nan' }],
		['{"a":"x","b":-nan(ind)}', { a: 'x', b: null }],
		['\ufeff{"t":1}', { t: 1 }],
		['{"t":1}\0\0\0', { t: 1 }],
		[')]}\',\n{"t":1}', { t: 1 }],
		['while(1);[1]', [1]],
		['\r\n {"t":1}\r\n', { t: 1 }],
	])('%j is read', (text, expected) => {
		expect(parseJson(Buffer.from(text))).toEqual(expected);
	});

	it.each(['', '{', '{"t":banana}', '{"t":nano}', '{"t":"nan}', 'nan nan', '{t:1}', "{'t':1}", '[1,]'])(
		'%j is not JSON',
		(text) => {
			expect(() => parseJson(Buffer.from(text))).toThrow('not valid JSON');
		},
	);

	it('is read as JSON.parse reads it, and hostile texts cost no more than their length', () => {
		fc.assert(
			fc.property(fc.jsonValue(), (value) => {
				expect(parseJson(Buffer.from(`\ufeff${JSON.stringify(value)}`))).toEqual(JSON.parse(JSON.stringify(value)));
			}),
		);
		for (const hostile of ['"\\"'.repeat(300_000), `[${'nan,'.repeat(200_000)}`, '"'.repeat(1_000_001)])
			expect(() => parseJson(Buffer.from(hostile))).toThrow('not valid JSON');
	});

	it('keeps bytes that are no framing', () => {
		const bytes = Buffer.from([0, 1, 0xef, 0xbb]);
		expect(withoutFraming(bytes)).toBe(bytes);
		expect(withoutFraming(Buffer.from([0xef, 0xbb, 0xbf]))).toHaveLength(0);
	});
});

describe('P13 units as people write them', () => {
	it.each<[MetricKey, number, string, number]>([
		['temperature', 21.5, '℃', 21.5],
		['temperature', 50, '℉', 10],
		['temperature', 21.5, 'Celsius', 21.5],
		['temperature', 21.5, '°c', 21.5],
		['temperature', 21.5, 'ºC', 21.5],
		['temperature', 21.5, '˚C', 21.5],
		['temperature', 21.5, '° C', 21.5],
		['temperature', 21.5, 'DEGC', 21.5],
		['temperature', 50, 'Fahrenheit', 10],
		['temperature', 50, '°f', 10],
		['temperature', 300, 'Kelvin', 26.85],
		['pm25', 12, 'ug/m³', 12],
		['pm25', 12, 'µg/m3', 12],
		['pm25', 12, 'μg/m3', 12],
		['pm10', 12, 'μg/m³', 12],
		['pm10', 12, 'UG/M3', 12],
		['pm10', 12, '㎍/㎥', 12],
		['pm10', 12, 'µg m⁻³', 12],
		['pm10', 0.012, 'MG/M3', 12],
		['illuminance', 310, 'Lux', 310],
		['illuminance', 310, 'LX', 310],
		['illuminance', 1.5, 'kLux', 1500],
		['co2', 640, 'PPM', 640],
		['co2', 0.064, '% vol', 640],
		['voc', 120, 'PPB', 120],
		['voc', 0.12, 'Ppm', 120],
		['humidity', 48, '%rh', 48],
		['humidity', 48, '% RH', 48],
		['humidity', 48, '％', 48],
		['humidity', 48, 'Percent', 48],
		['pressure', 1013, 'hpa', 1013],
		['pressure', 1013, 'mBar', 1013],
		['pressure', 1013, 'MB', 1013],
		['pressure', 101.3, 'KPA', 1013],
		['pressure', 1.013, 'bar', 1013],
		['pressure', 760, 'mmHg', 1013.25024],
		['noise', 41, 'dB(a)', 41],
		['noise', 41, 'DBA', 41],
		['battery', 80, 'percent', 80],
		['peopleIn', 3, 'People', 3],
		['peopleCount', 3, 'count', 3],
	])('%s of %d %s is %d in the unit of the catalog', (metric, value, unit, expected) => {
		expect(toCatalogUnit(METRICS[metric], value, unit)).toBe(expected);
	});

	it.each<[MetricKey, string]>([
		['temperature', 'ppm'],
		['pressure', 'MPa'],
		['humidity', 'g/m3'],
		['co2', '℃'],
		['noise', 'Hz'],
	])('%s in %s is refused by name', (metric, unit) => {
		expect(toCatalogUnit(METRICS[metric], 1, unit)).toMatchObject({ path: '/unit' });
	});

	it('refuses a spelling that may mean two units', () => {
		const volts: MetricDefinition = {
			...METRICS.temperature,
			unit: 'V',
			accepts: { mV: (value) => value / 1000, MV: (value) => value * 1e6 },
		};
		expect(toCatalogUnit(volts, 3, 'v')).toBe(3);
		expect(toCatalogUnit(volts, 100, 'mV')).toBe(0.1);
		expect(toCatalogUnit(volts, 100, 'mv')).toMatchObject({ path: '/unit' });
	});
});
