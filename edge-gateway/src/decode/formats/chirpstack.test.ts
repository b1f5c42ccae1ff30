import { describe, expect, it } from 'vitest';
import { candidatesIn, message, refusalOf } from '../../testing/messages.ts';
import { decodeChirpstack } from './chirpstack.ts';

/** chirpstack.io/docs, "Event types", `up`: its JSON example, here with a frame counter and an object. */
const up = (change: object) => ({
	deduplicationId: '3ac7e3c4-4401-4b8d-9386-a5c902f9202d',
	time: '2022-07-18T09:34:15.775023242+00:00',
	deviceInfo: {
		applicationName: 'Test application',
		deviceName: 'Test device',
		devEui: '0101010101010101',
		tags: { key: 'value' },
	},
	devAddr: '00189440',
	dr: 1,
	fPort: 1,
	data: 'qg==',
	rxInfo: [{ gatewayId: '0016c001f153a14c', rssi: -36, snr: 10.5 }],
	...change,
});
const decode = (event: string, payload: unknown) =>
	decodeChirpstack(message(`application/17c82e96/device/0101010101010101/event/${event}`, payload));
const SHARED = { sensorId: '0101010101010101', observedAt: '2022-07-18T09:34:15.775023242+00:00' };

describe('ChirpStack', () => {
	it('its documentation: an uplink whose device profile has no codec holds no reading', () => {
		expect(decode('up', up({}))).toBe('no_metric');
	});

	it('an uplink that was decoded', () => {
		const object = {
			temperature: 21.4,
			humidity: 63.5,
			co2: 812,
			pressure: 1008.2,
			pir: 1,
			light: 120,
			noSuch: 5,
			vbat: 3.61,
			battery: 3.6,
		};
		expect(candidatesIn(decode('up', up({ fCnt: 4211, object })))).toEqual(
			[
				['temperature', 21.4],
				['humidity', 63.5],
				['co2', 812],
				['pressure', 1008.2],
				['illuminance', 120],
			].map(([metric, value]) => ({ ...SHARED, metric, value, seq: 4211, boot: '00189440' })),
		);
	});

	it('the first frame, whose counter of 0 is left out of the JSON', () => {
		expect(candidatesIn(decode('up', up({ object: { periodic_counter_in: 2 } })))).toEqual([
			{ ...SHARED, metric: 'peopleIn', value: 2, seq: 0, boot: '00189440' },
		]);
	});

	// The same page, `status`.
	it('its documentation: the battery, unless it is fed from elsewhere or not known', () => {
		const status = {
			...up({}),
			margin: 10,
			externalPowerSource: false,
			batteryLevelUnavailable: false,
			batteryLevel: 75.5,
		};
		expect(candidatesIn(decode('status', status))).toEqual([{ ...SHARED, metric: 'battery', value: 75.5 }]);
		expect(decode('status', { ...status, externalPowerSource: true })).toBe('no_metric');
		expect(decode('status', { ...status, batteryLevelUnavailable: true })).toBe('no_metric');
	});

	it.each(['join', 'ack', 'txack', 'log', 'location', 'integration'])('an event %s holds no readings', (event) => {
		expect(decode(event, up({}))).toBe('not_telemetry');
	});

	it('is refused without a DevEUI', () => {
		expect(refusalOf(() => decode('up', { object: { co2: 1 } }))).toBe(
			'invalid_reading 0: /deviceInfo/devEui is required',
		);
	});
});
