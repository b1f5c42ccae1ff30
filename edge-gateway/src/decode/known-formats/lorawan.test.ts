import { describe, expect, it } from 'vitest';
import {
	chirpstackUplink,
	decode,
	type Row,
	readingsIn,
	type Sent,
	thingsUplink,
	UPLINK_TIME,
} from '../../testing/decoded-messages.ts';
import { candidatesIn, refusalOf } from '../../testing/messages.ts';

describe('P13 known formats: Milesight over a LoRaWAN network server', () => {
	it.each<Row>([
		[
			'VS121, count and regions that are occupied or not',
			thingsUplink({ people_count_all: 4, region_count: 8, region_1: 1, region_2: 0, people_count_max: 6 }),
			['dev-1 peopleCount 4'],
		],
		[
			'VS121, who came and went',
			chirpstackUplink({ people_in: 5, people_out: 3 }),
			['a84041 peopleIn 5', 'a84041 peopleOut 3'],
		],
		[
			'VS121, a count per region',
			thingsUplink({ region_1_count: 0, region_2_count: 2, region_16_count: 1 }),
			['dev-1.region_1 peopleCount 0', 'dev-1.region_2 peopleCount 2', 'dev-1.region_16 peopleCount 1'],
		],
		[
			'VS132, the period beside its running totals',
			thingsUplink({ total_counter_in: 190, total_counter_out: 305, periodic_counter_in: 1, periodic_counter_out: 0 }),
			['dev-1 peopleIn 1', 'dev-1 peopleOut 0'],
		],
		[
			'VS133, lines beside their running totals, dwell times and children',
			thingsUplink({
				line_1_total_in: 72,
				line_1_period_in: 3,
				line_1_period_out: 1,
				line_4_period_in: 0,
				line_1_child_period_in: 1,
				region_1_avg_dwell: 4105,
			}),
			['dev-1.line_1 peopleIn 3', 'dev-1.line_1 peopleOut 1', 'dev-1.line_4 peopleIn 0'],
		],
		[
			'VS321, people and climate',
			thingsUplink({
				battery: 92,
				temperature: 21.7,
				humidity: 44,
				people_total_counts: 6,
				detection_status: 'normal',
			}),
			['dev-1 temperature 21.7', 'dev-1 humidity 44', 'dev-1 peopleCount 6'],
		],
		[
			'VS350, the period beside its running totals',
			chirpstackUplink({ total_in: 181, total_out: 175, period_in: 9, period_out: 4 }),
			['a84041 peopleIn 9', 'a84041 peopleOut 4'],
		],
		[
			'VS351, temperature alone',
			thingsUplink({ battery: 100, temperature: 26.4, temperature_alarm: 'threshold alarm' }),
			['dev-1 temperature 26.4'],
		],
		[
			'VS360, an alarm within the period, whose people the end of the period says again',
			thingsUplink({
				battery_main: 90,
				temperature: 20,
				period_in: 100,
				period_out: 1,
				period_count_alarm: 'threshold alarm',
			}),
			['dev-1 temperature 20'],
		],
		[
			'VS360, a history that it stored without network, each entry at its own time',
			thingsUplink({
				period_in: 2,
				period_out: 2,
				history: [
					{ timestamp: 1_795_860_000, period_in: 11, period_out: 4 },
					{ timestamp: 1_795_860_900, period_in: 7, period_out: 2, total_in: 29, total_out: 8 },
				],
			}),
			[
				'dev-1 peopleIn 2',
				'dev-1 peopleOut 2',
				'dev-1 peopleIn 11 1795860000000',
				'dev-1 peopleOut 4 1795860000000',
				'dev-1 peopleIn 7 1795860900000',
				'dev-1 peopleOut 2 1795860900000',
			],
		],
		[
			'VS133, a history of lines and regions',
			thingsUplink({
				history: [
					{ timestamp: 1_795_860_000, line_2_period_in: 5, line_2_period_out: 6 },
					{ timestamp: 1_795_860_000, region_1_count: 3 },
				],
			}),
			[
				'dev-1.line_2 peopleIn 5 1795860000000',
				'dev-1.line_2 peopleOut 6 1795860000000',
				'dev-1.region_1 peopleCount 3 1795860000000',
			],
		],
		[
			'a report that names its own time',
			thingsUplink({ people_count_all: 2, timestamp: 1_795_860_123 }),
			['dev-1 peopleCount 2 1795860123000'],
		],
		[
			'history without a time that can be true',
			thingsUplink({ co2: 612, history: [{ period_in: 1 }, { timestamp: 12, period_in: 1 }, null, 'x'] }),
			['dev-1 co2 612'],
		],
	])('reads of %s what is meant', (_what, sent, expected) => {
		expect(readingsIn(sent)).toEqual(expected);
	});

	it('gives an entry of the history the same seq and boot whenever it is sent, so that it counts once', () => {
		const entry = { timestamp: 1_795_860_000, period_in: 11 };
		const [first] = candidatesIn(decode(thingsUplink({ history: [entry] })));
		const [, again] = candidatesIn(decode(thingsUplink({ period_in: 1, history: [entry] })));
		expect(again).toEqual(first);
		expect(first).toMatchObject({ seq: 1_795_860_000, boot: 'timestamp' });
	});
});

describe('P13 known formats: CayenneLPP, Decentlab, Dragino', () => {
	it.each<Row>([
		[
			'CayenneLPP as The Things Stack decodes it',
			thingsUplink({ temperature_1: -3.4, relative_humidity_2: 61.5, luminosity_3: 220, barometric_pressure_4: 998.1 }),
			['dev-1.1 temperature -3.4', 'dev-1.2 humidity 61.5', 'dev-1.3 illuminance 220', 'dev-1.4 pressure 998.1'],
		],
		[
			'CayenneLPP as ChirpStack decodes it',
			chirpstackUplink({
				temperatureSensor: { '1': 19.9, '2': 4.1 },
				humiditySensor: { '1': 55 },
				barometer: { '9': 1001.2 },
			}),
			['a84041.1 temperature 19.9', 'a84041.1 humidity 55', 'a84041.2 temperature 4.1', 'a84041.9 pressure 1001.2'],
		],
		[
			'CayenneLPP beside values that do not say what they measure',
			thingsUplink({
				temperature_1: 20,
				analog_in_2: 3.3,
				digital_in_3: 1,
				presence_4: 1,
				accelerometer_5: { x: 0, y: 0, z: 1 },
			}),
			['dev-1.1 temperature 20'],
		],
		[
			'CayenneLPP as bytes of a message',
			{
				use: 'cayenne-lpp',
				topic: 'lpp/node-9',
				name: 'node-9',
				payload: Buffer.from('0367ffd7 0568 61 0773 2793'.replaceAll(' ', ''), 'hex'),
			},
			['node-9.3 temperature -4.1', 'node-9.5 humidity 48.5', 'node-9.7 pressure 1013.1'],
		],
		[
			'CayenneLPP as bytes of an uplink of The Things Stack without a payload formatter',
			{
				use: 'cayenne-lpp',
				topic: 'v3/app/devices/dev-1/up',
				payload: {
					end_device_ids: { device_id: 'dev-1' },
					uplink_message: {
						f_port: 2,
						f_cnt: 1,
						session_key_id: 'AY',
						received_at: UPLINK_TIME,
						frm_payload: 'AWcA3w==',
					},
				},
			},
			['dev-1.1 temperature 22.3'],
		],
		[
			'CayenneLPP as bytes of an uplink of ChirpStack without a codec',
			{
				use: 'cayenne-lpp',
				topic: 'application/1/device/a84041/event/up',
				payload: {
					deviceInfo: { devEui: 'a84041' },
					devAddr: '1',
					fCnt: 3,
					fPort: 2,
					time: UPLINK_TIME,
					data: 'AmUA3A==',
				},
			},
			['a84041.2 illuminance 220'],
		],
		[
			'Decentlab, each value with its own unit',
			thingsUplink({
				air_temperature: { displayName: 'Air temperature', value: 20.2, unit: '°C' },
				air_humidity: { displayName: 'Air humidity', value: 38.4, unit: '%' },
				barometric_pressure: { displayName: 'Barometric pressure', value: 99_830, unit: 'Pa' },
				co2_concentration: { displayName: 'CO2 concentration', value: 512, unit: 'ppm' },
				battery_voltage: { displayName: 'Battery voltage', value: 2.9, unit: 'V' },
			}),
			['dev-1 temperature 20.2 °C', 'dev-1 humidity 38.4 %', 'dev-1 co2 512 ppm', 'dev-1 pressure 99830 Pa'],
		],
		[
			'Decentlab, a value that was not measured',
			thingsUplink({ air_temperature: { value: null, unit: '°C' }, illuminance: { value: 310, unit: 'lx' } }),
			['dev-1 illuminance 310 lx'],
		],
		[
			'Dragino LHT65, the built-in sensor and not the probe',
			chirpstackUplink({ BatV: 3.05, TempC_SHT: 23.4, Hum_SHT: 51.2, TempC_DS: 8.1, Ext_sensor: 'Temperature Sensor' }),
			['a84041 temperature 23.4', 'a84041 humidity 51.2'],
		],
	])('reads of %s what is meant', (_what, sent, expected) => {
		expect(readingsIn(sent)).toEqual(expected);
	});

	it.each([
		['01', 'byte 1 names no type (the end)'],
		['01ff00', 'byte 1 names no type (255)'],
		['016700', 'temperature of channel 1 is cut off'],
		['', 'it is empty'],
	])('refuses the CayenneLPP bytes %j by name', (hex, reason) => {
		const sent: Sent = { use: 'cayenne-lpp', topic: 'lpp/a', name: 'a', payload: Buffer.from(hex, 'hex') };
		expect(refusalOf(() => decode(sent))).toBe(`not_decoded 0: the payload is not CayenneLPP: ${reason}`);
	});
});
