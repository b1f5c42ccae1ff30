import { describe, expect, it } from 'vitest';
import { candidatesIn, message } from '../../testing/messages.ts';
import { decodeShelly } from './shelly.ts';

// From shelly-api-docs.shelly.cloud, gen2: "Notifications" and the status of the components Temperature, Humidity,
// DevicePower and PresenceZone.
const FULL_STATUS = {
	src: 'shellyplusht-b8d61a8b17cc',
	dst: 'shellyplusht-b8d61a8b17cc/events',
	method: 'NotifyFullStatus',
	params: {
		ts: 1680962879.62,
		ble: {},
		cloud: { connected: false },
		'devicepower:0': { id: 0, battery: { V: 5.43, percent: 71 }, external: { present: false } },
		ht_ui: {},
		'humidity:0': { id: 0, rh: 42.2 },
		sys: { mac: 'B8D61A8B17CC', time: null, unixtime: null, uptime: 3 },
		'temperature:0': { id: 0, tC: 19.8, tF: 67.6 },
		'temperature:100': { id: 100, tC: 4.5, tF: 40.1 },
	},
};
const shelly = (topic: string, payload: unknown) => decodeShelly(message(topic, payload));

describe('decodeShelly', () => {
	it('reads a full status: component 0 as the device, each other component as a sensor of its own', () => {
		const observedAt = 1_680_962_879_620;
		expect(candidatesIn(shelly('hall/events/rpc', FULL_STATUS))).toEqual([
			{ sensorId: 'shellyplusht-b8d61a8b17cc', metric: 'battery', value: 71, observedAt },
			{ sensorId: 'shellyplusht-b8d61a8b17cc', metric: 'humidity', value: 42.2, observedAt },
			{ sensorId: 'shellyplusht-b8d61a8b17cc', metric: 'temperature', value: 19.8, observedAt },
			{ sensorId: 'shellyplusht-b8d61a8b17cc.100', metric: 'temperature', value: 4.5, observedAt },
		]);
	});

	it('reads a change of one component, and the people in a zone', () => {
		const notify = (params: object) =>
			shelly('x/events/rpc', { src: 'shellypresence-1', method: 'NotifyStatus', params: { ts: null, ...params } });
		expect(candidatesIn(notify({ 'illuminance:0': { id: 0, lux: 12.5, illumination: 'dark' } }))).toEqual([
			{ sensorId: 'shellypresence-1', metric: 'illuminance', value: 12.5 },
		]);
		expect(candidatesIn(notify({ 'presencezone:200': { id: 200, state: true, num_objects: 3 } }))).toEqual([
			{ sensorId: 'shellypresence-1.200', metric: 'peopleCount', value: 3 },
		]);
		expect(notify({ 'temperature:0': { id: 0, tC: null, errors: ['read'] } })).toBe('no_value');
	});

	it('reads the status topic of a component, but not the temperature of a relay', () => {
		expect(candidatesIn(shelly('floor1/hall-ht/status/temperature:0', { id: 0, tC: 21, tF: 69.8 }))).toEqual([
			{ sensorId: 'floor1-hall-ht-02ed75', metric: 'temperature', value: 21 },
		]);
		// A relay reports its own temperature, not that of the room.
		expect(shelly('plug/status/switch:0', { id: 0, output: true, temperature: { tC: 50 } })).toBe('no_metric');
	});

	it.each<[string, unknown]>([
		['plug/online', 'true'],
		['plug/status/sys', { uptime: 3 }],
		['plug/events/rpc', { src: 'plug', method: 'NotifyEvent', params: { ts: 1, events: [] } }],
		['plug/rpc', { id: 1, src: 'x', method: 'Switch.Set' }],
	])('finds no reading in %s', (topic, payload) => {
		expect(shelly(topic, payload)).toBe('not_telemetry');
	});
});
