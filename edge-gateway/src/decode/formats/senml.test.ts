import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidatesIn, expectDecoded, message, NOW, refusalOf } from '../../testing/messages.ts';
import { decodeSenml } from './senml.ts';
import { type ResolvedRecord, resolveSenml } from './senml-records.ts';

const DEVICE = 'urn:dev:ow:10e2073a01080063';
const resolved = (pack: unknown[], now = NOW): Pick<ResolvedRecord, 'name' | 'unit' | 'value' | 'time'>[] =>
	resolveSenml(pack, now).map((record) => {
		if (record instanceof Error) throw record;
		const { label: _label, other: _other, ...rest } = record;
		return rest;
	});
const readings = (pack: unknown) => candidatesIn(decodeSenml(message('senml', pack)));
const refused = (pack: unknown) => refusalOf(() => decodeSenml(message('senml', pack)));

describe('decodeSenml', () => {
	it('reads a single data point (RFC 8428 section 5.1.1)', () => {
		expect(readings([{ n: DEVICE, u: 'Cel', v: 23.1 }])).toEqual([
			{ sensorId: DEVICE, metric: 'temperature', value: 23.1, unit: 'Cel' },
		]);
	});

	it('puts the base name before the names (RFC 8428 section 5.1.2)', () => {
		const pack = [
			{ bn: `${DEVICE}:`, n: 'voltage', u: 'V', v: 120.1 },
			{ n: 'current', u: 'A', v: 1.2 },
		];
		expect(resolved(pack).map(({ name, unit, value }) => [name, unit, value])).toEqual([
			[`${DEVICE}:voltage`, 'V', 120.1],
			[`${DEVICE}:current`, 'A', 1.2],
		]);
		// Neither is a metric of the catalog.
		expect(decodeSenml(message('senml', pack))).toBe('no_metric');
	});

	const OVER_TIME = [
		{ bn: 'urn:dev:ow:10e2073a0108006:', bt: 1.276020076001e9, bu: 'A', bver: 5, n: 'voltage', u: 'V', v: 120.1 },
		{ n: 'current', t: -5, v: 1.2 },
		{ n: 'current', t: -4, v: 1.3 },
		{ n: 'current', t: -3, v: 1.4 },
		{ n: 'current', t: -2, v: 1.5 },
		{ n: 'current', t: -1, v: 1.6 },
		{ n: 'current', v: 1.7 },
	];
	const OVER_TIME_RESOLVED = [
		['voltage', 'V', 120.1, 0],
		['current', 'A', 1.2, -5],
		['current', 'A', 1.3, -4],
		['current', 'A', 1.4, -3],
		['current', 'A', 1.5, -2],
		['current', 'A', 1.6, -1],
		['current', 'A', 1.7, 0],
	].map(([name, unit, value, seconds]) => ({
		name: `urn:dev:ow:10e2073a0108006:${name}`,
		unit,
		value,
		time: 1_276_020_076_001 + Number(seconds) * 1000,
	}));

	it('applies base time and base unit (RFC 8428 section 5.1.2)', () => {
		expect(resolved(OVER_TIME)).toEqual(OVER_TIME_RESOLVED);
	});

	it('reads only the measurements whose unit the catalog knows (RFC 8428 section 5.1.3)', () => {
		const pack = [
			{ bn: DEVICE, bt: 1.320067464e9, bu: '%RH', v: 20 },
			{ u: 'lon', v: 24.30621 },
			{ u: 'lat', v: 60.07965 },
			{ t: 60, v: 20.3 },
			{ u: 'lon', t: 60, v: 24.30622 },
			{ u: 'lat', t: 60, v: 60.07965 },
			{ t: 120, v: 20.7 },
			{ u: 'lon', t: 120, v: 24.30623 },
			{ u: 'lat', t: 120, v: 60.07966 },
			{ u: '%EL', t: 150, v: 98 },
			{ t: 180, v: 21.2 },
			{ u: 'lon', t: 180, v: 24.30628 },
			{ u: 'lat', t: 180, v: 60.07967 },
		];
		const at = (seconds: number) => 1_320_067_464_000 + seconds * 1000;
		const shared = { sensorId: DEVICE, unit: '%' };
		expect(readings(pack)).toEqual([
			{ ...shared, metric: 'humidity', value: 20, observedAt: at(0) },
			{ ...shared, metric: 'humidity', value: 20.3, observedAt: at(60) },
			{ ...shared, metric: 'humidity', value: 20.7, observedAt: at(120) },
			{ ...shared, metric: 'battery', value: 98, observedAt: at(150) },
			{ ...shared, metric: 'humidity', value: 21.2, observedAt: at(180) },
		]);
	});

	it('leaves out texts, booleans and data (RFC 8428 section 5.1.4)', () => {
		const pack = [
			{ bn: `${DEVICE}:`, n: 'temp', u: 'Cel', v: 23.1 },
			{ n: 'label', vs: 'Machine Room' },
			{ n: 'open', vb: false },
			{ n: 'nfc-reader', vd: 'aGkgCg' },
		];
		expect(readings(pack)).toEqual([{ sensorId: `${DEVICE}:temp`, metric: 'temperature', value: 23.1, unit: 'Cel' }]);
	});

	it('reads a pack as CBOR (RFC 8428 section 6)', () => {
		const hex =
			'87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461' +
			'676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cc' +
			'cccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e7406' +
			'2002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333';
		// The catalog has none of these metrics, so names and units are replaced by known ones of the same length.
		const known = Buffer.from(hex, 'hex').toString('latin1').replaceAll('current', 'tempera').replaceAll('aA', 'aK');
		expect(decodeSenml(message('senml', Buffer.from(hex, 'hex')))).toBe('no_metric');
		expect(readings(Buffer.from(known, 'latin1'))).toEqual(
			OVER_TIME_RESOLVED.slice(1).map(({ value, time }) => ({
				sensorId: 'urn:dev:ow:10e2073a0108006:tempera',
				metric: 'temperature',
				unit: 'K',
				value,
				observedAt: time,
			})),
		);
	});

	it('counts times from 2**28 s on since 1970 and smaller ones from now (RFC 8428 section 4.5.3)', () => {
		const timeOf = (t: number, bt?: number) =>
			resolved([{ n: 'a', v: 1, t, ...(bt !== undefined && { bt }) }])[0]!.time;
		expect(timeOf(0)).toBeUndefined();
		expect(timeOf(-60)).toBe(NOW - 60_000);
		expect(timeOf(60)).toBe(NOW + 60_000);
		expect(timeOf(2 ** 28 - 1)).toBe(NOW + (2 ** 28 - 1) * 1000);
		expect(timeOf(2 ** 28)).toBe(2 ** 28 * 1000);
		expect(timeOf(-10, 2 ** 28 + 10)).toBe(2 ** 28 * 1000);
		expect(timeOf(5, -15)).toBe(NOW - 10_000);
	});

	it('adds base values until the next one (RFC 8428 section 4.1)', () => {
		const pack = [
			{ bn: 'a', bv: 20, u: 'Cel', v: 1.5 },
			{ u: 'Cel', v: -1 },
			{ bv: 0, u: 'Cel', v: 3 },
			{ bn: 'b:', n: 'temperature', v: 4 },
		];
		expect(readings(pack).map(({ sensorId, value }) => [sensorId, value])).toEqual([
			['a', 21.5],
			['a', 19],
			['a', 3],
			['b', 4],
		]);
	});

	it('leaves out sums, as no metric of the catalog is one (RFC 8428 section 4.2)', () => {
		expect(decodeSenml(message('senml', [{ n: 'meter', u: 'Cel', bs: 2, s: 5 }]))).toBe('no_metric');
		expect(readings([{ n: 'meter', u: 'Cel', v: 4, s: 5 }])).toMatchObject([{ value: 4 }]);
	});

	it.each<[string, unknown, string]>([
		[
			'section 4.1: a later version',
			[{ bver: 11, n: 'a', v: 1 }],
			'invalid_reading 0: /bver must be at most 10: the pack uses a later version of SenML',
		],
		[
			'section 4.2: no value',
			[{ n: 'a', v: 1 }, { n: 'a' }],
			'invalid_reading 1: /v is required: one of v, vs, vb, vd, s',
		],
		[
			'section 4.2: two values',
			[{ n: 'a', v: 1, vb: true }],
			'invalid_reading 0: /v must be the only value: one of v, vs, vb, vd',
		],
		[
			'section 4.4: a label that must be understood',
			[{ n: 'a', v: 1, lock_: 1 }],
			'invalid_reading 0: /lock_ is not supported, and a label that ends in _ must be understood',
		],
		[
			'section 4.5.1: an invalid name',
			[{ n: 'großer Saal', v: 1 }],
			'invalid_reading 0: /n with bn before it must start with A-Z a-z 0-9 and hold only these and - : . / _',
		],
		['a value that is a text', [{ n: 'a', v: '1' }], 'invalid_reading 0: /v must be a finite number'],
		['a time that is a text', [{ n: 'a', v: 1, t: 'now' }], 'invalid_reading 0: /t must be a finite number'],
		[
			'a record that is no object',
			[{ n: 'a', v: 1 }, 5],
			'invalid_reading 1: the payload must be a SenML record: an object',
		],
		['an object', { n: 'a', v: 1 }, 'not_decoded 0: the payload must be a SenML pack: an array of records'],
		['an empty pack', [], 'not_decoded 0: the payload must hold at least one record'],
		['CBOR of another kind', Buffer.from([0x81, 0x01]), 'invalid_reading 0: the payload must be a SenML record: a map'],
	])('refuses with the index of the record: %s', (_what, pack, expected) => {
		expect(refused(pack)).toBe(expected);
	});

	it('ignores unknown fields that need not be understood (RFC 8428 section 4.4)', () => {
		expect(readings([{ n: 'a', u: 'Cel', v: 1, ut: 60, note: 'x', __proto__: null }])).toHaveLength(1);
	});
});

describe('decodeSenml, for the name of a record,', () => {
	it.each([
		['door-3/peopleCount', 'count', { sensorId: 'door-3', metric: 'peopleCount', unit: 'person' }],
		['room1:TEMPERATURE', 'Cel', { sensorId: 'room1', metric: 'temperature', unit: 'Cel' }],
		['room1_co2', 'ppm', { sensorId: 'room1', metric: 'co2', unit: 'ppm' }],
		['building/floor-1/th.humidity', '%RH', { sensorId: 'building-floor-1-th-c8b0f1', metric: 'humidity', unit: '%' }],
		['room1/temp', 'K', { sensorId: 'room1-temp-04fbd0', metric: 'temperature', unit: 'K' }],
	])('reads sensor and metric from %s in %s', (n, u, expected) => {
		expect(readings([{ n, u, v: 1 }])).toEqual([{ ...expected, value: 1 }]);
	});

	it('names no sensor if the name is only a metric', () => {
		expect(readings([{ n: 'temperature', v: 1 }])).toEqual([{ metric: 'temperature', value: 1 }]);
	});
});

/** A record without base fields; `packOf` below encodes records with base fields. */
const record = fc.record({
	name: fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
	value: fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 64),
	seconds: fc.integer({ min: 2 ** 28, max: 2 ** 32 }),
	unit: fc.constantFrom('Cel', 'K', '%RH', 'lx', 'V'),
});
type Plain = { name: string; value: number; seconds: number; unit: string };

function packOf(
	records: Plain[],
	base: { name: string; seconds: number; value: number; unit: string },
): Record<string, unknown>[] {
	return records.map(({ name, value, seconds, unit }, index) => ({
		...(index === 0 && { bn: base.name, bt: base.seconds, bv: base.value, bu: base.unit }),
		n: name,
		v: value - base.value,
		...(seconds !== base.seconds && { t: seconds - base.seconds }),
		...(unit !== base.unit && { u: unit }),
	}));
}

const LABELS: Record<string, number> = { bn: -2, bt: -3, bu: -4, bv: -5, n: 0, u: 1, v: 2, t: 6 };
const asCbor = (pack: Record<string, unknown>[]) =>
	Buffer.from(encode(pack.map((one) => new Map(Object.entries(one).map(([label, value]) => [LABELS[label]!, value])))));

describe('decodeSenml, for any pack,', () => {
	it('returns the records that were packed, as JSON and as CBOR', () => {
		const base = fc.record({
			name: fc.constantFrom('', 'urn:dev:x:'),
			seconds: fc.integer({ min: 0, max: 2 ** 31 }),
			value: fc.integer(),
			unit: fc.constantFrom('Cel', 'V'),
		});
		fc.assert(
			fc.property(fc.array(record, { minLength: 1 }), base, (records, baseFields) => {
				const pack = packOf(records, baseFields);
				const expected = records.map(({ name, value, seconds, unit }) => ({
					name: baseFields.name + name,
					unit,
					value,
					time: seconds * 1000,
				}));
				expect(resolved(JSON.parse(JSON.stringify(pack)))).toEqual(expected);
				const fromCbor = decodeSenml(message('senml', asCbor(pack)));
				expect(fromCbor).toEqual(decodeSenml(message('senml', pack)));
			}),
		);
	});

	it('either reads or refuses a pack that is cut anywhere or has any bit changed', () => {
		const pack = [
			{ bn: 'urn:dev:a:', bt: 1.7e9, bu: 'Cel', n: 'temperature', v: 21.5 },
			{ n: 'co2', u: 'ppm', v: 415, t: -5 },
		];
		for (const bytes of [asCbor(pack), Buffer.from(JSON.stringify(pack))]) {
			for (let cut = 0; cut < bytes.length; cut++)
				expectDecoded(() => decodeSenml(message('senml', bytes.subarray(0, cut))));
			for (let at = 0; at < bytes.length; at++) {
				for (let bit = 0; bit < 8; bit++) {
					const flipped = Buffer.from(bytes);
					flipped[at]! ^= 1 << bit;
					expectDecoded(() => decodeSenml(message('senml', flipped)));
				}
			}
		}
	});

	it('reads a pack of a hundred thousand records', () => {
		const many = Array.from({ length: 100_000 }, (_, index) => ({ n: 'a', u: 'Cel', v: index % 100, t: -index }));
		expect(readings(many)).toHaveLength(100_000);
		expect(readings(asCbor(many))).toHaveLength(100_000);
	});
});
