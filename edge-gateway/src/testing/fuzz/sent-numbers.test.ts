import { encode } from 'cborg';
import { expect, it } from 'vitest';
import { encodeCobs } from '../../sources/framing/cobs.ts';
import { crc16 } from '../../sources/framing/crc16.ts';
import { SERIAL } from './corpus.ts';
import { SentNumbers } from './sent-numbers.ts';

it('SentNumbers knows the numbers that parts of a text may be read as, also across two pieces of a stream', () => {
	const numbers = new SentNumbers();
	numbers.text(Buffer.from('{"value":412.5}'));
	numbers.text(Buffer.from('{"value":73'), 'line');
	numbers.text(Buffer.from('19}'), 'line');
	expect([412.5, 412, 12.5, 7319].map((number) => numbers.has(number))).toEqual([true, true, true, true]);
	expect([413, 4125, 0.25].map((number) => numbers.has(number))).toEqual([false, false, false]);
});

it('SentNumbers knows the numbers in COBS frames with a correct CRC only', () => {
	const numbers = new SentNumbers();
	const body = Buffer.from(encode({ value: 9 }));
	const wrong = Buffer.concat([
		encodeCobs(Buffer.concat([body, Buffer.from([(crc16(body) >> 8) ^ 1, crc16(body) & 255])])),
		Buffer.from([0]),
	]);
	numbers.cobs(wrong, 'line');
	for (const byte of SERIAL.cobs[0]!) numbers.cobs(Buffer.from([byte]), 'line');
	expect([415, 9].map((number) => numbers.has(number))).toEqual([true, false]);
});
