import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc16 } from './crc16.ts';
import { JsonLineFraming } from './json-line-framing.ts';

const READING = { metric: 'peopleIn', value: 1, seq: 7 };
const JSON_TEXT = JSON.stringify(READING);
const quiet = { frame: () => undefined, discarded: () => undefined };
const framing = (checksum = false) => new JsonLineFraming(65_536, checksum, quiet);
const decode = (line: string, checksum = false) => framing(checksum).decode(Buffer.from(line, 'latin1'));

/** What stands before the document, and after it. */
const LOGGED: [string, string, string?][] = [
	['ESP-IDF, coloured', '\x1b[0;32mI (1234) app: ', '\x1b[0m'],
	['ESP-IDF, an error', '\x1b[0;31mE (98765) door_counter: ', '\x1b[0m'],
	['ESP-IDF, a warning without colours', 'W (5) app: '],
	['ESP-IDF with the time of the clock', 'I (12:34:56.789) app: '],
	['Arduino-ESP32', '[  1234][I][main.cpp:42] loop(): '],
	['Arduino-ESP32, an older version', '[D][sensor.ino:7] read(): '],
	['Zephyr, coloured', '\x1b[0m[00:00:01.234,567] \x1b[0m<inf> app: ', '\x1b[0m'],
	['Zephyr, a warning', '[00:12:01.001,000] \x1b[1;33m<wrn> door: ', '\x1b[0m'],
	['Zephyr with its shell', '\x1b[1;32muart:~$ \x1b[m[00:00:03.100,000] <dbg> app.main: '],
	['Mbed trace', '[INFO][app ]: '],
	['ESPHome', '\x1b[0;36m[12:34:56][D][sensor:094]: ', '\x1b[0m'],
	['Tasmota', '12:00:01.234 RSL: SENSOR = '],
	['Tasmota with the date', '2026-11-30T12:00:01 MQT: tele/door/SENSOR = '],
	['MicroPython', 'INFO:root:'],
	['a level in brackets', '[INFO] '],
	['a level and a dash', 'DEBUG - '],
	['a level and a bar', 'info | '],
	['Linux', '[    1.234567] counter: '],
	['syslog', '<13>Nov: '],
	['a tag of the sketch', 'data: '],
	['a prompt', '> '],
	['RIOT', '2026-11-30 12:00:01,123 # '],
	['a colour only', '\x1b[32m', '\x1b[0m'],
	['a character set', '\x1b(B\x1b[m', ' \x1b(B'],
	['blanks after a colour', '\x1b[0m   ', '  \x1b[0m  '],
];

describe('P13 a JSON line behind what logging frameworks write', () => {
	it.each(LOGGED)('is read: %s', (_what, before, after = '') => {
		expect(decode(`${before}${JSON_TEXT}${after}`)).toEqual(READING);
		expect(decode(`${before}[${JSON_TEXT}]${after}`)).toEqual([READING]);
		const hex = crc16(Buffer.from(JSON_TEXT)).toString(16).toUpperCase().padStart(4, '0');
		expect(decode(`${before}${JSON_TEXT}*${hex}${after}`, true)).toEqual(READING);
	});

	it.each([
		['half a document before it', `{"metric":"peopleIn","val${JSON_TEXT}`],
		['the end of a document before it', `"value":1},${JSON_TEXT}`],
		['noise before it', `\x00\xff?!${JSON_TEXT}`],
		['words before it', `the last reading was ${JSON_TEXT}`],
		['a torn document behind a prefix', 'I (1) app: {"metric":"peopleIn","val'],
		['a prefix alone', 'I (1) app: '],
	])('is still refused with %s, as what was lost must be told', (_what, line) => {
		expect(() => decode(line)).toThrow(/not valid JSON|not UTF-8/);
	});

	it.each<[string, boolean]>([
		['\x1b[0;32mI (312) wifi: connected with office, channel 6\x1b[0m', true],
		['[  1234][I][main.cpp:42] loop(): going to sleep', true],
		['[00:00:01.234,567] <err> sensor: bus busy (-5)', true],
		['[D][sensor:094]: pin 4 high', true],
		['2026-11-30 12:00:01 INFO app: started', true],
		['DEBUG:root:polling', true],
		['HELLO door-3', false],
		['7,door-3,peopleIn,1', false],
		['garbage', false],
		['I am here', false],
		['\x00\x01I (12) app: noise\x07', false],
		['I (12) app: {"metric":"peopleIn","va', false],
		['', false],
	])('is told from a line of the log, and from garbage: %j', (line, expected) => {
		expect(framing().isChatter(Buffer.from(line, 'latin1'))).toBe(expected);
	});

	it('costs no more than one pass, and never changes a document that reads as it is', () => {
		fc.assert(
			fc.property(fc.string({ maxLength: 300 }), (before) => {
				try {
					decode(`${before}${JSON_TEXT}`);
				} catch (error) {
					expect((error as Error).message).toMatch(/not valid JSON|not UTF-8/);
				}
				const whole = JSON.stringify({ text: before });
				expect(decode(whole)).toEqual({
					text: Buffer.from(JSON.stringify(before), 'latin1').toString('latin1') && JSON.parse(whole).text,
				});
			}),
		);
		expect(() => decode(`${'I (1) a: '.repeat(10_000)}x${JSON_TEXT}`)).toThrow('not valid JSON');
	});
});
