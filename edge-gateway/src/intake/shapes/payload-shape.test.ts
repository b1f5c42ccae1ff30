import { epochMs, readTimestamp } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { PayloadShape } from './payload-shape.ts';

const shapeOf = (json: string, metric = 'co2') => PayloadShape.of(Buffer.from(json), metric);
const READING = '{"metric":"co2","value":400.5,"observedAt":1796040000000,"seq":7,"boot":"a"}';

/** The value that a shape reads, and as which text it is stored; undefined where the shape does not fit. */
function valueIn(shape: PayloadShape, json: string): { value: number; text: string } | undefined {
	const raw = Buffer.from(json);
	if (!shape.matches(raw)) return undefined;
	return { value: shape.value, text: raw.toString('utf8', shape.valueStart, shape.valueEnd) };
}

describe('the shape of a reading', () => {
	it.each(
		['0', '1', '-1', '21.5', '21.50', '400.0', '-3.25', '0.000001', '123456789012345', '0.1', '1.005', '-60'].map(
			(one) => [one],
		),
	)('reads the value %s as JSON.parse does, and stores it as JavaScript writes it', (text) => {
		expect(valueIn(shapeOf(READING)!, READING.replace('400.5', text))).toEqual({
			value: Number(text),
			text: String(Number(text)),
		});
	});

	it.each(
		[
			'-0',
			'-0.0',
			'1e2',
			'4E-1',
			'0.0000001',
			'1234567890123456',
			'0.1234567890123456',
			'007',
			'-01',
			'.5',
			'5.',
			'+1',
		].map((one) => [one]),
	)('leaves the value %s to the long way', (text) => {
		expect(valueIn(shapeOf(READING)!, READING.replace('400.5', text))).toBeUndefined();
	});

	it.each(['"21.5"', 'null', 'true', 'NaN', '{}', '[1]', '', '1 2', '-'].map((one) => [one]))(
		'leaves %s in place of the value to the long way',
		(text) => {
			expect(valueIn(shapeOf(READING)!, READING.replace('400.5', text))).toBeUndefined();
		},
	);

	it.each([
		['another text', READING.replace('co2', 'co3')],
		['another key', READING.replace('boot', 'toob')],
		['one member more', READING.replace('}', ',"x":1}')],
		['something behind it', `${READING} x`],
		['a cut end', READING.slice(0, -1)],
		['a negative seq', READING.replace('7', '-7')],
		['a seq with decimals', READING.replace('7', '7.0')],
		['a seq that is too large', READING.replace('7', '9007199254740993')],
	])('leaves %s to the long way', (_what, json) => {
		expect(shapeOf(READING)!.matches(Buffer.from(json))).toBe(false);
	});

	it.each(['1796040000000', '1796040000', '4102444799999', '1000000000000', '4102444799'].map((one) => [one]))(
		'reads the time %s as normalizing does',
		(text) => {
			const shape = shapeOf(READING)!;
			expect(shape.matches(Buffer.from(READING.replace('1796040000000', text)))).toBe(true);
			expect([shape.observedAt, shape.stated]).toEqual([epochMs(Number(text)), Number(text)]);
		},
	);

	it.each(
		['4102444800000', '999999999999', '999999999', '5', '-5', '1796040000.5', '1796040000000000', '0'].map((one) => [
			one,
		]),
	)('leaves the time %s to the long way', (text) => {
		expect(shapeOf(READING)!.matches(Buffer.from(READING.replace('1796040000000', text)))).toBe(false);
	});

	const withTime = (time: string) => `{"metric":"co2","value":1,"observedAt":"${time}"}`;

	it.each(
		[
			...['2026-11-30T22:00:00Z', '2026-11-30T22:00:00.5Z', '2024-02-29T23:59:59.999Z', '2026-01-01T00:00:00.057Z'],
			...['2026-11-30T22:00:00.123456789Z', '2002-01-01T00:00:00Z', '2099-12-31T23:59:59.999Z'],
		].map((one) => [one]),
	)('reads the time "%s" as normalizing does', (text) => {
		const shape = shapeOf(withTime('2026-11-30T22:00:00Z'))!;
		expect(shape.matches(Buffer.from(withTime(text)))).toBe(true);
		expect(shape.observedAt).toBe(readTimestamp(text)!.at);
	});

	it.each(
		[
			...['2026-02-29T00:00:00Z', '2026-06-30T23:59:60Z', '2026-06-01T24:00:00Z', '2026-13-01T00:00:00Z'],
			...['2026-11-30T22:00:00', '2026-11-30T22:00:00+01:00', '2026-11-30 22:00:00Z', '2026-11-30T22:00:00.Z'],
			...['1999-11-30T22:00:00Z', '2126-11-30T22:00:00Z', '2026-11-30T22:00:00.1234567890Z', '2026-1-30T22:00:00Z'],
			...[
				'yesterday',
				'',
				'2026-11-30T22:00:00Zx',
				'2026-11-30T22:00Z',
				'2026-11-30T22:00:00z',
				'2026-00-10T22:00:00Z',
			],
		].map((one) => [one]),
	)('leaves the time "%s" to the long way', (text) => {
		expect(shapeOf(withTime('2026-11-30T22:00:00Z'))!.matches(Buffer.from(withTime(text)))).toBe(false);
	});

	it('reads every millisecond of a second as normalizing does', () => {
		const json = (time: string) => `{"value":1,"observedAt":"${time}"}`;
		const shape = shapeOf(json('2026-11-30T22:00:00Z'))!;
		for (let ms = 0; ms < 1000; ms++) {
			const time = `2026-11-30T22:00:00.${String(ms).padStart(3, '0')}Z`;
			expect(shape.matches(Buffer.from(json(time)))).toBe(true);
			expect(shape.observedAt).toBe(readTimestamp(time)!.at);
		}
	});

	it.each([
		['an array', '[{"value":1}]'],
		['a nested value', '{"value":1,"more":{}}'],
		['a text with an escape', '{"value":1,"sensorName":"\\u0041"}'],
		['a key that stands twice', '{"value":1,"value":1}'],
		['no value', '{"metric":"co2"}'],
		['a value that is a text', '{"value":"1"}'],
		['a byte order mark', '\ufeff{"value":1}'],
		['NUL behind it', '{"value":1}\0'],
		['a text', '"5"'],
		['the short form of another metric', '{"noise":1}'],
		['nothing', ''],
	])('does not exist for %s', (_what, json) => {
		expect(shapeOf(json)).toBeUndefined();
	});

	it('is that of a bare number, and of the short form with its own name for the time', () => {
		expect(valueIn(shapeOf(' 4.5\n')!, ' 12.50\n')).toEqual({ value: 12.5, text: '12.5' });
		expect(valueIn(shapeOf('4.5')!, '"4.5"')).toBeUndefined();
		expect(valueIn(shapeOf('4.5')!, ' 4.5')).toBeUndefined();
		const short = shapeOf('{"type":"co2","timestamp":1796040000,"co2":400,"seq":1}')!;
		expect(short.matches(Buffer.from('{"type":"co2","timestamp":1796040060,"co2":41.5,"seq":22}'))).toBe(true);
		expect([short.value, short.observedAt, short.seq]).toEqual([41.5, 1796040060000, 22]);
	});

	it('keeps spaces and texts beyond ASCII as they are', () => {
		const json = (value: string) => `{ "value" : ${value} ,\n"note":"°C €" }\n`;
		expect(valueIn(shapeOf(json('1'))!, json('2.50'))).toEqual({ value: 2.5, text: '2.5' });
	});
});
