import { encode } from 'cborg';
import { expect, it } from 'vitest';
import { encodeCobs } from '../../sources/framing/cobs.ts';
import { crc16 } from '../../sources/framing/crc16.ts';
import { SERIAL } from './corpus.ts';
import { ToldNumbers } from './told-numbers.ts';

it('knows what a text may stand for once it is cut, also across two pieces of a stream, and nothing else', () => {
	const told = new ToldNumbers();
	told.text(Buffer.from('{"value":412.5}'));
	told.text(Buffer.from('{"value":73'), 'line');
	told.text(Buffer.from('19}'), 'line');
	expect([412.5, 412, 12.5, 7319].map((number) => told.has(number))).toEqual([true, true, true, true]);
	expect([413, 4125, 0.25].map((number) => told.has(number))).toEqual([false, false, false]);
});

it('knows the numbers of COBS frames whose CRC is right, and not of others', () => {
	const told = new ToldNumbers();
	const body = Buffer.from(encode({ value: 9 }));
	const wrong = Buffer.concat([
		encodeCobs(Buffer.concat([body, Buffer.from([(crc16(body) >> 8) ^ 1, crc16(body) & 255])])),
		Buffer.from([0]),
	]);
	told.cobs(wrong, 'line');
	for (const byte of SERIAL.cobs[0]!) told.cobs(Buffer.from([byte]), 'line');
	expect([415, 9].map((number) => told.has(number))).toEqual([true, false]);
});
