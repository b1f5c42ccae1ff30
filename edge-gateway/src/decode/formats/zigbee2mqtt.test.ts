import { describe, expect, it } from 'vitest';
import { candidatesIn, message, refusalOf } from '../../testing/messages.ts';
import { decodeZigbee2mqtt } from './zigbee2mqtt.ts';

const state = (name: string, payload: unknown) => decodeZigbee2mqtt(message(`zigbee2mqtt/${name}`, payload, name));

describe('decodeZigbee2mqtt', () => {
	// Examples of zigbee2mqtt.io, guide, "MQTT Topics and Messages", zigbee2mqtt/FRIENDLY_NAME.
	it('reads a temperature and humidity sensor as in the guide (WSDCGQ01LM)', () => {
		expect(candidatesIn(state('hall_climate', { temperature: 27.34, humidity: 44.72 }))).toEqual([
			{ sensorId: 'hall_climate', metric: 'temperature', value: 27.34 },
			{ sensorId: 'hall_climate', metric: 'humidity', value: 44.72 },
		]);
	});

	it.each<[string, unknown]>([
		['a switch (WXKG01LM)', { action: 'single' }],
		['a motion sensor (RTCGQ01LM)', { occupancy: true }],
		['a lamp (LED1545G12)', { state: 'ON', brightness: 215, color_temp: 325 }],
	])('finds no reading in %s of the guide', (_what, payload) => {
		expect(state('x', payload)).toBe('no_metric');
	});

	it('leaves out unknown keys, null, radio values and values whose unit is unknown', () => {
		const payload = {
			battery: 91,
			co2: 612,
			pm25: 7,
			pressure: 1003.2,
			illuminance_lux: 120,
			illuminance: 9000,
			temperature: null,
			linkquality: 120,
			voc: 300,
			eco2: 500,
			occupancy: false,
		};
		expect(candidatesIn(state('0x00158d0001b79111', payload)).map(({ metric, value }) => [metric, value])).toEqual([
			['pressure', 1003.2],
			['illuminance', 120],
			['co2', 612],
			['pm25', 7],
			['battery', 91],
		]);
	});

	it('names the sensor after the device, with - and a hash for characters that an id may not hold', () => {
		expect(candidatesIn(state('Büro 1/Fenster', { temperature: 1 }))[0]!.sensorId).toMatch(
			/^B-ro-1-Fenster-[0-9a-f]{6}$/,
		);
		expect(candidatesIn(decodeZigbee2mqtt(message('zigbee2mqtt/a', { temperature: 1 })))[0]!.sensorId).toBe(
			'zigbee2mqtt-a-63690b',
		);
	});

	it.each([
		['2026-11-28T11:59:00+00:00', '2026-11-28T11:59:00+00:00'],
		[1_795_867_140_000, 1_795_867_140_000],
		[null, undefined],
	])('reads the time from last_seen %o', (last_seen, observedAt) => {
		expect(candidatesIn(state('a', { temperature: 1, last_seen }))[0]!.observedAt).toBe(observedAt);
	});

	it.each(['bridge/state', 'bridge/logging', 'hall/availability', 'hall/set', 'hall/get'])(
		'finds no reading in %s, which is not the state of a device',
		(name) => {
			expect(state(name, '{"state":"online","temperature":1}')).toBe('not_telemetry');
		},
	);

	it.each([
		['5', 'not_decoded 0: the payload must be a JSON object'],
		['[]', 'not_decoded 0: the payload must be a JSON object'],
	])('refuses the payload %s', (payload, expected) => {
		expect(refusalOf(() => state('a', payload))).toBe(expected);
	});
});
