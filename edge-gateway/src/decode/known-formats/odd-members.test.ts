import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { readingsIn, type Sent, thingsUplink } from '../../testing/decoded-messages.ts';
import { candidatesIn } from '../../testing/messages.ts';
import { decodeCanonical } from '../formats/canonical.ts';
import { parseJson } from '../message/json.ts';

const zigbee = (payload: unknown): Sent => ({ use: 'zigbee2mqtt', topic: 'zigbee2mqtt/a', name: 'a', payload });
const shelly = (params: object): Sent => ({
	use: 'shelly',
	topic: 's/events/rpc',
	payload: { src: 's', method: 'NotifyStatus', params },
});
const milesight = (lines: unknown): Sent => ({
	use: 'people-counter',
	topic: 'POST /ingest/c',
	payload: { device_info: { device_sn: '6' }, line_periodic_data: lines },
});

describe('P13 odd members of vendor messages', () => {
	it.each<[string, Sent, string[]]>([
		[
			'a value that names its own unit',
			zigbee({ temperature: { value: 70.5, unit: '°F' }, humidity: { value: '45' } }),
			['a temperature 70.5 °F', 'a humidity 45'],
		],
		[
			'the same in an uplink',
			thingsUplink({ temperature: { value: '22.1', unit: '℃' } }),
			['dev-1 temperature 22.1 ℃'],
		],
		[
			'a list in the place of a number, which is refused by name later',
			zigbee({ temperature: [21], humidity: 45 }),
			['a temperature 21', 'a humidity 45'],
		],
		['a bare word of a template', zigbee('{"temperature": unavailable, "humidity": 45}'), ['a humidity 45']],
		['None of Python', zigbee('{"temperature": None, "humidity": 45}'), ['a humidity 45']],
		['°F alone', shelly({ 'temperature:0': { id: 0, tF: 70 } }), ['s temperature 70 degF']],
		['°C before °F', shelly({ 'temperature:0': { id: 0, tC: 21, tF: 69.8 } }), ['s temperature 21']],
		[
			'a line of Milesight whose number is a text',
			milesight([{ line: '1', total: { in: 3, out: 1 } }]),
			['6.line_1 peopleIn 3', '6.line_1 peopleOut 1'],
		],
		[
			'one line of Milesight without a list',
			milesight({ line: 2, in: 3, out: 1 }),
			['6.line_2 peopleIn 3', '6.line_2 peopleOut 1'],
		],
	])('are read as what they are: %s', (_what, sent, expected) => {
		expect(readingsIn(sent)).toEqual(expected);
	});
});

describe('P13 odd members of the short form', () => {
	const short = (members: object) => candidatesIn(decodeCanonical({ sensorId: 'a', ...members }, {}, BUILT_IN_METRICS));

	it.each<[string, object, object[]]>([
		[
			'the unit beside the only value',
			{ temperature: 70, unit: 'degF' },
			[{ metric: 'temperature', value: 70, unit: 'degF' }],
		],
		[
			'the unit of the value that type names',
			{ type: 'temperature', temperature: 70, humidity: 40, unit: 'F' },
			[
				{ metric: 'temperature', value: 70, unit: 'F' },
				{ metric: 'humidity', value: 40 },
			],
		],
		[
			'the unit in a text before the one beside it',
			{ temperature: '21 °C', unit: 'F' },
			[{ metric: 'temperature', value: 21, unit: '°C' }],
		],
		[
			'a unit that may be of several',
			{ temperature: 21, humidity: 40, unit: 'F' },
			[
				{ metric: 'temperature', value: 21 },
				{ metric: 'humidity', value: 40 },
			],
		],
		[
			'null in the place of what may be left out',
			{ temperature: 21, observedAt: null, seq: null, boot: null, roomId: null },
			[{ metric: 'temperature', value: 21 }],
		],
	])('are read as what they are: %s', (_what, members, expected) => {
		expect(short(members)).toEqual(expected.map((one) => ({ sensorId: 'a', ...one })));
	});
});

describe('P13 JSON with bare words', () => {
	it.each<[string, unknown]>([
		['{"a":unavailable,"b":Unknown,"c":None,"d":undefined,"e":NULL}', { a: null, b: null, c: null, d: null, e: null }],
		['["unknown", unknown]', ['unknown', null]],
		['{"unknown": "none"}', { unknown: 'none' }],
		['{"a":"x\\" unknown","b":nan}', { a: 'x" unknown', b: null }],
	])('is read with null in their place: %s', (json, expected) => {
		expect(parseJson(json)).toEqual(expected);
	});

	it.each(['unavailable', 'none', '{"a":unknown_state}', '{"a":unknown'])('stays damaged otherwise: %s', (text) => {
		expect(() => parseJson(text)).toThrow('not valid JSON');
	});
});
