import { describe, expect, it } from 'vitest';
import { candidatesIn, message, refusalOf } from '../../testing/messages.ts';
import { decodeZigbee2mqtt } from './zigbee2mqtt.ts';

const state = (name: string, payload: unknown) => decodeZigbee2mqtt(message(`zigbee2mqtt/${name}`, payload, name));

describe('Zigbee2MQTT', () => {
	// zigbee2mqtt.io, guide, "MQTT Topics and Messages", zigbee2mqtt/FRIENDLY_NAME: the examples given there.
	it('its guide: a temperature and humidity sensor (WSDCGQ01LM)', () => {
		expect(candidatesIn(state('hall_climate', { temperature: 27.34, humidity: 44.72 }))).toEqual([
			{ sensorId: 'hall_climate', metric: 'temperature', value: 27.34 },
			{ sensorId: 'hall_climate', metric: 'humidity', value: 44.72 },
		]);
	});

	it.each<[string, unknown]>([
		['a switch (WXKG01LM)', { action: 'single' }],
		['somebody moves (RTCGQ01LM), but not how many', { occupancy: true }],
		['a lamp (LED1545G12)', { state: 'ON', brightness: 215, color_temp: 325 }],
	])('its guide: %s holds no reading', (_what, payload) => {
		expect(state('x', payload)).toBe('no_metric');
	});

	it('takes what it knows and leaves out what is null, of the radio, or in a unit it does not say', () => {
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

	it('names a sensor after the device, with - for what an id may not hold', () => {
		expect(candidatesIn(state('Büro 1/Fenster', { temperature: 1 }))[0]!.sensorId).toBe('B-ro-1-Fenster');
		expect(candidatesIn(decodeZigbee2mqtt(message('zigbee2mqtt/a', { temperature: 1 })))[0]!.sensorId).toBe(
			'zigbee2mqtt-a',
		);
	});

	it.each([
		['2026-11-28T11:59:00+00:00', '2026-11-28T11:59:00+00:00'],
		[1_795_867_140_000, 1_795_867_140_000],
		[null, undefined],
	])('takes last_seen %o as the time', (last_seen, observedAt) => {
		expect(candidatesIn(state('a', { temperature: 1, last_seen }))[0]!.observedAt).toBe(observedAt);
	});

	it.each(['bridge/state', 'bridge/logging', 'hall/availability', 'hall/set', 'hall/get'])(
		'%s is no state of a device',
		(name) => {
			expect(state(name, '{"state":"online","temperature":1}')).toBe('not_telemetry');
		},
	);

	it.each([
		['5', 'not_decoded 0: the payload must be a JSON object'],
		['[]', 'not_decoded 0: the payload must be a JSON object'],
	])('refuses %s', (payload, expected) => {
		expect(refusalOf(() => state('a', payload))).toBe(expected);
	});
});
