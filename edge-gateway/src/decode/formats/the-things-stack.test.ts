import { describe, expect, it } from 'vitest';
import { candidatesIn, message, refusalOf } from '../../testing/messages.ts';
import { decodeTheThingsStack } from './the-things-stack.ts';

/** An uplink with the relevant members from thethingsindustries.com/docs, "Data Formats", uplink messages. */
const uplink = (message_: object) => ({
	end_device_ids: {
		device_id: 'dev1',
		application_ids: { application_id: 'app1' },
		dev_eui: '0004A30B001C0530',
		dev_addr: '00BCB929',
	},
	correlation_ids: ['as:up:01'],
	received_at: '2020-02-12T15:15:46.5Z',
	uplink_message: {
		session_key_id: 'AXA50',
		f_port: 85,
		f_cnt: 7,
		frm_payload: 'gkHe',
		received_at: '2020-02-12T15:15:45.787Z',
		...message_,
	},
});
const decode = (payload: unknown) => decodeTheThingsStack(message('v3/app1@tenant1/devices/dev1/up', payload));
const SHARED = { observedAt: '2020-02-12T15:15:45.787Z', seq: 7, boot: 'AXA50' };

describe('decodeTheThingsStack', () => {
	// TheThingsNetwork/lorawan-devices, vendor/milesight-iot/am103-codec.yaml, example 1.
	it('reads the decoded payload of a climate sensor (Milesight AM103)', () => {
		const decoded_payload = { battery: 92, temperature: 30.8, humidity: 50.5, co2: 1255 };
		expect(candidatesIn(decode(uplink({ decoded_payload })))).toEqual([
			{ ...SHARED, sensorId: 'dev1', metric: 'temperature', value: 30.8 },
			{ ...SHARED, sensorId: 'dev1', metric: 'humidity', value: 50.5 },
			{ ...SHARED, sensorId: 'dev1', metric: 'co2', value: 1255 },
		]);
	});

	// The same, vs121-codec.yaml, example 1.
	it('reads the decoded payload of a people counter (Milesight VS121)', () => {
		const decoded_payload = {
			people_counter_all: 3,
			region_count: 3,
			regions: [
				{ count: 1, index: 0 },
				{ count: 1, index: 1 },
			],
		};
		expect(candidatesIn(decode(uplink({ decoded_payload })))).toEqual([
			{ ...SHARED, sensorId: 'dev1', metric: 'peopleCount', value: 3 },
		]);
	});

	// Milesight's SensorDecoders, VS133, README: line and region counts. Totals are not crossings since the last message.
	it('reads each line and region of a people counter as a sensor of its own (Milesight VS133)', () => {
		const decoded_payload = {
			line_1_total_in: 72,
			line_1_total_out: 200,
			line_1_period_in: 5,
			line_1_period_out: 7,
			line_4_period_in: 0,
			region_2_count: 16,
		};
		expect(
			candidatesIn(decode(uplink({ decoded_payload }))).map(({ sensorId, metric, value }) => [sensorId, metric, value]),
		).toEqual([
			['dev1.line_1', 'peopleIn', 5],
			['dev1.line_1', 'peopleOut', 7],
			['dev1.line_4', 'peopleIn', 0],
			['dev1.region_2', 'peopleCount', 16],
		]);
	});

	// TheThingsNetwork/lorawan-devices, lib/payload.json: the schema of normalized payloads.
	it('prefers a normalized payload to the decoded one', () => {
		const normalized_payload = [
			{
				air: { temperature: 20.1, relativeHumidity: 41, pressure: 1003, co2: 500, lightIntensity: 80 },
				soil: { temperature: 9 },
			},
		];
		expect(
			candidatesIn(decode(uplink({ normalized_payload, decoded_payload: { temperature: 99 } }))).map(
				({ metric, value }) => [metric, value],
			),
		).toEqual([
			['temperature', 20.1],
			['humidity', 41],
			['pressure', 1003],
			['co2', 500],
			['illuminance', 80],
		]);
	});

	it('P13 reads beside a normalized payload what only the decoded one holds, such as people', () => {
		const normalized_payload = [{ air: { temperature: 20.1 } }];
		const decoded_payload = { temperature: 99, people_count_all: 3, humidity: 40 };
		expect(
			candidatesIn(decode(uplink({ normalized_payload, decoded_payload }))).map(({ metric, value }) => [metric, value]),
		).toEqual([
			['temperature', 20.1],
			['humidity', 40],
			['peopleCount', 3],
		]);
	});

	it('P13 tells what the payload formatter of the network server warned of', () => {
		const payload = uplink({ decoded_payload: { co2: 400 }, decoded_payload_warnings: ['low battery', 7, ''] });
		const sent = { ...message('v3/app1@tenant1/devices/dev1/up', payload), warnings: [] };
		decodeTheThingsStack(sent);
		expect(sent.warnings).toEqual(['low battery']);
	});

	it('reads several measurements of one uplink at their own times, without the shared frame counter', () => {
		const normalized_payload = [
			{ time: '2020-02-12T15:05:00Z', air: { temperature: 1 } },
			{ time: '2020-02-12T15:10:00Z', air: { temperature: 2 } },
		];
		expect(candidatesIn(decode(uplink({ normalized_payload })))).toEqual([
			{ sensorId: 'dev1', metric: 'temperature', value: 1, observedAt: '2020-02-12T15:05:00Z' },
			{ sensorId: 'dev1', metric: 'temperature', value: 2, observedAt: '2020-02-12T15:10:00Z' },
		]);
	});

	it('reads the battery from the network server, at the time of the battery reading', () => {
		const last_battery_percentage = { f_cnt: 4, value: 52.5, received_at: '2020-02-12T07:09:14.353301178Z' };
		expect(candidatesIn(decode(uplink({ last_battery_percentage })))).toEqual([
			{
				sensorId: 'dev1',
				metric: 'battery',
				value: 52.5,
				observedAt: '2020-02-12T07:09:14.353301178Z',
				seq: 4,
				boot: 'AXA50',
			},
		]);
	});

	it('takes a missing frame counter as 0, which the server leaves out of its JSON', () => {
		const { f_cnt: _zero, ...first } = uplink({ decoded_payload: { co2: 1 } }).uplink_message as Record<
			string,
			unknown
		>;
		expect(candidatesIn(decode({ ...uplink({}), uplink_message: first }))[0]).toMatchObject({ seq: 0, boot: 'AXA50' });
	});

	it.each<[string, unknown]>([
		['a join', { end_device_ids: { device_id: 'dev1' }, join_accept: { session_key_id: 'x' } }],
		['a downlink that was sent', { end_device_ids: { device_id: 'dev1' }, downlink_sent: {} }],
	])('finds no reading in %s', (_what, payload) => {
		expect(decode(payload)).toBe('not_telemetry');
	});

	it('finds no reading without a decoded payload, and refuses an uplink without a device id', () => {
		expect(decode(uplink({}))).toBe('no_metric');
		expect(refusalOf(() => decode({ uplink_message: {} }))).toBe(
			'invalid_reading 0: /end_device_ids/device_id is required',
		);
	});
});
