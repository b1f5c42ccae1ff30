import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCobs, encodeCobs } from './cobs.ts';
import { crc16 } from './crc16.ts';

const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const run = (from: number, to: number) => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i));

describe('COBS encoding', () => {
	it.each<[string, Buffer, Buffer]>([
		// Cheshire and Baker 1999, section III: the beginning of an IP packet.
		[
			'the packet in the paper',
			bytes('45 00 00 2C 4C 79 00 00 40 06 4F 37'),
			bytes('02 45 01 04 2C 4C 79 01 05 40 06 4F 37'),
		],
		['no bytes', bytes(''), bytes('01')],
		['a zero', bytes('00'), bytes('01 01')],
		['two zeros', bytes('00 00'), bytes('01 01 01')],
		['a zero in the middle', bytes('11 22 00 33'), bytes('03 11 22 02 33')],
		['no zero', bytes('11 22 33 44'), bytes('05 11 22 33 44')],
		['zeros at the end', bytes('11 00 00 00'), bytes('02 11 01 01 01')],
		['254 bytes without a zero', run(1, 254), Buffer.concat([bytes('FF'), run(1, 254)])],
		['255 bytes, the first of them zero', run(0, 254), Buffer.concat([bytes('01 FF'), run(1, 254)])],
		['255 bytes without a zero', run(1, 255), Buffer.concat([bytes('FF'), run(1, 254), bytes('02 FF')])],
		[
			'254 bytes and a zero',
			Buffer.concat([run(2, 255), bytes('00')]),
			Buffer.concat([bytes('FF'), run(2, 255), bytes('01 01')]),
		],
		[
			'253 bytes, a zero and another',
			Buffer.concat([run(3, 255), bytes('00 01')]),
			Buffer.concat([bytes('FE'), run(3, 255), bytes('02 01')]),
		],
	])('matches the published encoding of %s, both ways', (_what, plain, encoded) => {
		expect(encodeCobs(plain).toString('hex')).toBe(encoded.toString('hex'));
		expect(decodeCobs(encoded)?.toString('hex')).toBe(plain.toString('hex'));
	});

	it('round-trips any bytes, without a zero in between, at most one byte longer for each 254', () => {
		const mostlyLong = fc.oneof(
			fc.uint8Array({ maxLength: 40 }),
			fc.uint8Array({ min: 1, minLength: 250, maxLength: 1100 }),
		);
		fc.assert(
			fc.property(mostlyLong, (plain) => {
				const encoded = encodeCobs(plain);
				expect(encoded.includes(0)).toBe(false);
				expect(encoded.length).toBeLessThanOrEqual(plain.length + Math.floor(plain.length / 254) + 1);
				expect(decodeCobs(encoded)).toEqual(Buffer.from(plain));
			}),
		);
	});

	it('decodes bytes that are not COBS to undefined, and never throws', () => {
		expect(decodeCobs(bytes('00'))).toBeUndefined();
		expect(decodeCobs(bytes('05 11 22'))).toBeUndefined();
		expect(decodeCobs(bytes('03 11 00'))).toBeUndefined();
		fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (any) => (decodeCobs(any)?.length ?? 0) <= any.length));
	});
});

describe('CRC-16/CCITT-FALSE', () => {
	it('has the check value of the catalogue of CRCs, and 0xFFFF for no bytes', () => {
		expect(crc16(Buffer.from('123456789'))).toBe(0x29b1);
		expect(crc16(Buffer.alloc(0))).toBe(0xffff);
		expect(crc16(Buffer.from('A'))).toBe(0xb915);
	});

	it('is 0 over any bytes followed by their own CRC', () => {
		fc.assert(
			fc.property(fc.uint8Array(), (any) => {
				const crc = crc16(any);
				expect(crc16(Buffer.from([...any, crc >> 8, crc & 0xff]))).toBe(0);
			}),
		);
	});
});
