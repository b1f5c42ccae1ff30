import { describe, expect, it } from 'vitest';
import { candidatesIn, message, refusalOf } from '../../testing/messages.ts';
import { decodeChirpstack } from './chirpstack.ts';

/** The JSON example of chirpstack.io/docs, "Event types", `up`; `change` adds a frame counter and an object. */
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

describe('decodeChirpstack', () => {
	it('finds no reading in an uplink whose device profile has no codec (example of the documentation)', () => {
		expect(decode('up', up({}))).toBe('no_metric');
	});

	it('reads the metrics it knows from a decoded uplink', () => {
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

	it('takes a missing frame counter as 0, which ChirpStack leaves out of its JSON', () => {
		expect(candidatesIn(decode('up', up({ object: { periodic_counter_in: 2 } })))).toEqual([
			{ ...SHARED, metric: 'peopleIn', value: 2, seq: 0, boot: '00189440' },
		]);
	});

	// The same page, `status`.
	it('reads the battery unless it is unknown or the device has external power (example of the documentation)', () => {
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

	it.each(['join', 'ack', 'txack', 'log', 'location', 'integration'])('finds no reading in the event %s', (event) => {
		expect(decode(event, up({}))).toBe('not_telemetry');
	});

	it('refuses an event without a DevEUI', () => {
		expect(refusalOf(() => decode('up', { object: { co2: 1 } }))).toBe(
			'invalid_reading 0: /deviceInfo/devEui is required',
		);
	});
});
