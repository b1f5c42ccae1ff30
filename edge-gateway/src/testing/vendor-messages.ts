import { encode } from 'cborg';
import type { FormatName } from '../decode/format-table.ts';
import { sparkplugPayload } from './sparkplug-node.ts';

/**
 * A valid message of a format: its topic, the part that the rule's wildcards match, and how many readings it holds.
 */
export interface VendorMessage {
	topic: string;
	name?: string;
	payload: Buffer;
	readings: number;
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const READING = { sensorId: 'door-3', metric: 'peopleCount', value: 23 };

/** One valid message of each format that needs neither a mapping nor a codec. */
export const VENDOR_MESSAGES: Record<Exclude<FormatName, 'jsonata' | 'codec'>, VendorMessage> = {
	canonical: { topic: 'x', payload: json([READING, { sensorId: 's', temperature: 20 }]), readings: 2 },
	cbor: { topic: 'x', payload: Buffer.from(encode([READING, { sensorId: 's', temperature: 20 }])), readings: 2 },
	senml: {
		topic: 'x',
		payload: json([
			{ bn: 'a:', bt: 1.7e9, n: 'co2', u: 'ppm', v: 400 },
			{ n: 'temperature', u: 'Cel', v: 20, t: -5 },
		]),
		readings: 2,
	},
	'sparkplug-b': {
		topic: 'spBv1.0/hq/DBIRTH/pi-1/hall',
		payload: sparkplugPayload({
			timestamp: 1.7e12,
			seq: 1,
			metrics: [{ name: 'co2', alias: 1, datatype: 3, int: 400, properties: { engUnit: 'ppm' } }],
		}),
		readings: 1,
	},
	zigbee2mqtt: {
		topic: 'zigbee2mqtt/hall',
		name: 'hall',
		payload: json({ temperature: 27.34, humidity: 44.72, last_seen: 1.7e12, linkquality: 90 }),
		readings: 2,
	},
	tasmota: {
		topic: 'tele/th/SENSOR',
		name: 'th',
		payload: json({
			Time: '2026-11-28T13:00:00+01:00',
			BME280: { Temperature: 70, Humidity: 40, Pressure: 753.3 },
			PressureUnit: 'mmHg',
			TempUnit: 'F',
		}),
		readings: 3,
	},
	shelly: {
		topic: 'x/events/rpc',
		payload: json({
			src: 'shelly-1',
			method: 'NotifyStatus',
			params: { ts: 1.7e9, 'temperature:0': { tC: 19.8 }, 'devicepower:0': { battery: { percent: 71 } } },
		}),
		readings: 2,
	},
	'the-things-stack': {
		topic: 'v3/app/devices/dev1/up',
		payload: json({
			end_device_ids: { device_id: 'dev1' },
			uplink_message: {
				session_key_id: 'A',
				f_cnt: 7,
				received_at: '2026-11-28T12:00:00Z',
				decoded_payload: { co2: 400, line_1_period_in: 5 },
				last_battery_percentage: { value: 5 },
			},
		}),
		readings: 3,
	},
	chirpstack: {
		topic: 'application/1/device/01/event/up',
		payload: json({
			deviceInfo: { devEui: '0101010101010101' },
			time: '2026-11-28T12:00:00Z',
			devAddr: '00189440',
			fCnt: 3,
			object: { co2: 400, temperature: 20 },
		}),
		readings: 2,
	},
	'cayenne-lpp': { topic: 'lpp/node-1', name: 'node-1', payload: Buffer.from('03670110056861', 'hex'), readings: 2 },
	'people-counter': {
		topic: 'counters/push',
		payload: json({
			device_info: { device_sn: '6384E16179950009' },
			time_info: { end_time: '2026/11/28 20:00:00', timezone: 'UTC+8:00', dst_status: false },
			line_periodic_data: [{ line: 1, total: { in: 3, out: 2 } }],
			current_total: 10,
		}),
		readings: 3,
	},
};
