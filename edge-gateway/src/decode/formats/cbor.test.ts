import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidatesIn, expectDecoded, message, refusalOf } from '../../testing/messages.ts';
import { decodeCbor, readCbor } from './cbor.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

describe('readCbor', () => {
	it.each<[string, unknown]>([
		['00', 0],
		['1903e8', 1000],
		['3903e7', -1000],
		['f93c00', 1],
		['fb3ff199999999999a', 1.1],
		['f4', false],
		['f6', null],
		['6161', 'a'],
		['62c3bc', 'ü'],
		['83010203', [1, 2, 3]],
		['a26161016162820203', { a: 1, b: [2, 3] }],
		['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
	])('decodes the example %s of RFC 8949 appendix A', (bytes, value) => {
		expect(readCbor(hex(bytes))).toEqual(value);
	});

	it('decodes a decimal fraction exactly (RFC 8949 section 3.4.4)', () => {
		expect(readCbor(hex('c48221196ab3'))).toBe(273.15);
	});

	it('gives decodeCbor the same readings as JSON', () => {
		const reading = { sensorId: 'door-3', metric: 'peopleCount', value: 23, seq: 1 };
		expect(candidatesIn(decodeCbor(message('x', Buffer.from(encode(reading)))))).toEqual([reading]);
		expect(
			candidatesIn(decodeCbor(message('x', Buffer.from(encode([reading, { sensorId: 's', temperature: 20.5 }]))))),
		).toHaveLength(2);
	});

	it.each([
		['an empty payload', ''],
		['a map with a number as a key', 'a10102'],
		['a map with a key twice', 'a2616101616102'],
		['bytes after the end', '0000'],
		['a number that does not fit a double', '1bffffffffffffffff'],
		['an unsupported tag', 'c074323031332d30332d32315432303a30343a30305a'],
		['a text that is not UTF-8', '61ff'],
		['a length beyond the payload', '9b7fffffffffffffff'],
		['a text of four GiB', '7affffffff'],
	])('refuses %s', (_what, bytes) => {
		expect(refusalOf(() => decodeCbor(message('x', hex(bytes))))).toMatch(/^not_decoded 0: the payload is not CBOR: /);
	});

	it.each([
		['NaN', 'f97e00'],
		['undefined', 'f7'],
		['an infinity', 'f97c00'],
	])('refuses %s in the place of a reading', (_what, bytes) => {
		expect(refusalOf(() => decodeCbor(message('x', hex(bytes))))).toMatch(/^invalid_reading 0: the payload must be a/);
	});

	it('refuses a megabyte of nested arrays', () => {
		expect(refusalOf(() => decodeCbor(message('x', Buffer.alloc(1024 * 1024, 0x81))))).toMatch(/^not_decoded/);
		expect(refusalOf(() => decodeCbor(message('x', Buffer.alloc(1024 * 1024, 0x9f))))).toMatch(/^not_decoded/);
	});

	it('never changes a prototype', () => {
		const read = readCbor(Buffer.from(encode(new Map([['__proto__', { polluted: true }]])))) as object;
		expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
		expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
	});

	it('returns any encoded JSON unchanged, and either reads or refuses any bytes', () => {
		// The encoder of the test writes -0 as 0.
		const negativeZero = (value: unknown): boolean =>
			typeof value === 'object' && value !== null ? Object.values(value).some(negativeZero) : Object.is(value, -0);
		const safe = fc.jsonValue().filter((value) => !/__proto__/.test(JSON.stringify(value)) && !negativeZero(value));
		fc.assert(fc.property(safe, (value) => void expect(readCbor(encode(value))).toEqual(value)));
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
				expectDecoded(() => decodeCbor(message('x', Buffer.from(bytes)))),
			),
			{ numRuns: 1000 },
		);
	});
});
