import { deflateSync, gzipSync } from 'node:zlib';
import { encode } from 'cborg';
import type { FormatName } from '../../decode/format-table.ts';
import { encodeCobs } from '../../sources/framing/cobs.ts';
import { crc16 } from '../../sources/framing/crc16.ts';
import { connectOf, packetOf, str } from '../malformed-packets.ts';

/** The only sensor for which the fuzzer's devices may send readings. */
export const FUZZ_SENSOR = 'fuzz';
const TOPIC = `telemetry/b1/hall/${FUZZ_SENSOR}`;
const PLACE = { sensorId: FUZZ_SENSOR, buildingId: 'b1', roomId: 'hall' };

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Messages in the gateway's own format. */
export const READINGS: Buffer[] = [
	json({ ...PLACE, metric: 'co2', value: 412 }),
	json({ ...PLACE, metric: 'temperature', value: 21.5, seq: 7, boot: 'a', observedAt: '2026-11-22T10:00:00Z' }),
	json([
		{ ...PLACE, metric: 'co2', value: 413 },
		{ ...PLACE, metric: 'humidity', value: 40 },
	]),
	json({ ...PLACE, type: 'temperature', timestamp: 1_764_000_000_000, temperature: 22.25 }),
	json({ ...PLACE, temperature: null, humidity: 48.25, battery: 116, uptime: 86, observedAt: 1_764_000_000 }),
	json([
		{ ...PLACE, metric: 'co2', value: 'nan', uptime: -1 },
		{ ...PLACE, metric: 'temperature', value: '-1.5 °C', observedAt: '2026-11-22 10:00:00,5' },
	]),
	Buffer.from(`{"sensorId":"\\u0066uzz","buildingId":"b1","roomId":"hall","metric":"noise","value":1e1}`),
];

/** The same messages as NDJSON. */
export const NDJSON: Buffer[] = [Buffer.concat(READINGS.flatMap((one) => [one, Buffer.from('\n')]))];

const frame = (value: unknown): Buffer => {
	const body = Buffer.from(encode(value));
	const crc = crc16(body);
	return Buffer.concat([encodeCobs(Buffer.concat([body, Buffer.from([crc >> 8, crc & 255])])), Buffer.from([0])]);
};

/** Frames that a device may write to its serial port, by framing. */
export const SERIAL: Record<'jsonl' | 'csv' | 'cobs', Buffer[]> = {
	jsonl: [
		...READINGS.map((one) => Buffer.concat([one, Buffer.from('\n')])),
		Buffer.from('HELLO fuzz token\n'),
		Buffer.from('\x1b[0;32mI (1234) app: {"metric":"co2","value":411,"uptime":5}\x1b[0m\n'),
		Buffer.from('W (98765) wifi: no beacon\n'),
		Buffer.from('\r\n\n'),
	],
	csv: ['1,co2,414\n', '2,temperature,"21.5"\r\n', '# a remark\n', ',co2,\n'].map((line) => Buffer.from(line)),
	cobs: [
		frame({ seq: 1, metric: 'co2', value: 415 }),
		frame({ metric: 'noise', value: 33.5 }),
		frame([1, 'x', null]),
		Buffer.from([0, 0]),
	],
};

/** Control packets of a device that has signed in. */
export const PACKETS: Buffer[] = [
	packetOf(0x30, str(TOPIC), READINGS[0]!),
	packetOf(0x32, str(TOPIC), [0, 1], READINGS[1]!),
	packetOf(0x32, str(`${TOPIC}/co2`), [0, 2], Buffer.from('416')),
	packetOf(0x34, str(TOPIC), [0, 3], READINGS[2]!),
	packetOf(0x62, [0, 3]),
	packetOf(0x33, str(`status/${FUZZ_SENSOR}`), [0, 4], Buffer.from('online')),
	packetOf(0x82, [0, 5], str(`status/${FUZZ_SENSOR}`), [1], str('#'), [0]),
	packetOf(0xa2, [0, 6], str(`status/${FUZZ_SENSOR}`)),
	packetOf(0x40, [0, 7]),
	packetOf(0x50, [0, 8]),
	packetOf(0x70, [0, 9]),
	packetOf(0xc0),
	packetOf(0xe0),
];

/** CONNECTs of the fuzzer's device: clean, with a session, with a last will, and with MQTT 5. */
export function connects(token: string): Buffer[] {
	const signIn = [str('fuzz-device'), str(token)];
	return [
		connectOf({ rest: signIn }),
		connectOf({ flags: 0xc0, clientId: 'kept', rest: signIn }),
		connectOf({ flags: 0xce, rest: [str(`status/${FUZZ_SENSOR}`), str('offline'), ...signIn] }),
		packetOf(0x10, str('MQTT'), [5, 0xc2, 0, 60, 0], str('five'), ...signIn),
	];
}

/** A Sparkplug payload: in field 2 a metric with its name (1), the datatype Float (4) and its value (12). */
const float = Buffer.alloc(4);
float.writeFloatLE(417);
const sparkplugMetric = Buffer.concat([
	Buffer.from([0x0a, 3]),
	Buffer.from('co2'),
	Buffer.from([0x20, 9, 0x65]),
	float,
]);
const sparkplug = Buffer.concat([
	Buffer.from([0x08, 1, 0x12, sparkplugMetric.length]),
	sparkplugMetric,
	Buffer.from([0x18, 0]),
]);

/** A SenML record with the numeric labels of RFC 8428 section 6: base name, name, unit and value. */
const SENML_RECORD = new Map<number, unknown>(
	Object.entries({ '-2': 'dev/', 0: 'temperature', 1: 'Cel', 2: 21 }).map(([label, value]) => [Number(label), value]),
);

/** An uplink of The Things Stack with this decoded payload. */
const uplink = (decoded: object) =>
	json({ end_device_ids: { device_id: 'dev' }, uplink_message: { decoded_payload: decoded } });

/** The same payload as Sparkplug compresses it: `uuid` (4) and `body` (5). */
const compressedSparkplug = [gzipSync(sparkplug), deflateSync(sparkplug)].map((body) =>
	Buffer.concat([Buffer.from([0x22, 18]), Buffer.from('SPBV1.0_COMPRESSED'), Buffer.from([0x2a, body.length]), body]),
);

/** A topic and messages for each decoder. */
export const FORMATS_CORPUS: Record<FormatName, { topic: string; messages: Buffer[] }> = {
	canonical: { topic: 'x', messages: READINGS },
	cbor: {
		topic: 'x',
		messages: [
			Buffer.from(encode({ ...PLACE, metric: 'co2', value: 1 })),
			Buffer.from(encode([{ ...PLACE, temperature: 2 }])),
		],
	},
	senml: {
		topic: 'x',
		messages: [
			json([
				{ bn: 'urn:dev:mac:1/', bt: 1.764e9, bu: 'Cel', n: 'temperature', v: 21 },
				{ n: 'humidity', u: '%RH', v: 40, t: -5 },
			]),
			Buffer.from(encode([SENML_RECORD])),
		],
	},
	'sparkplug-b': {
		topic: 'spBv1.0/g/DDATA/e/d',
		messages: [sparkplug, Buffer.concat([sparkplug, sparkplug]), ...compressedSparkplug],
	},
	zigbee2mqtt: {
		topic: 'zigbee2mqtt/hall',
		messages: [json({ temperature: 21.5, humidity: 40, battery: 90, linkquality: 10 })],
	},
	tasmota: {
		topic: 'tele/hall/SENSOR',
		messages: [
			json({ Time: '2026-11-22T10:00:00', AM2301: { Temperature: 21.5, Humidity: 40 }, TempUnit: 'C' }),
			json({ 'DS18B20-1': { Id: '0000048EC44C', Temperature: 19.5 }, DS18B20: { Id: 'A', Temperature: 1 } }),
			json({ ZbReceived: { '0x531D': { Device: '0x531D', Name: 'Office', Temperature: 25, LinkQuality: 92 } } }),
		],
	},
	shelly: {
		topic: 'shelly/events/rpc',
		messages: [
			json({
				src: 'shelly',
				dst: 'x',
				method: 'NotifyStatus',
				params: { ts: 1.764e9, 'temperature:0': { id: 0, tC: 21.5, tF: 70.7 } },
			}),
		],
	},
	'the-things-stack': {
		topic: 'v3/app/devices/dev/up',
		messages: [
			json({
				end_device_ids: { device_id: 'dev' },
				uplink_message: { f_cnt: 1, decoded_payload: { temperature: 21.5, co2: 400 } },
			}),
			uplink({ people_count_all: 3, region_1_count: 1, people_in: 2, period_count_alarm: 'x', period_in: 4 }),
			uplink({ history: [{ timestamp: 1_764_000_000, line_1_period_in: 2 }, { timestamp: 0 }] }),
			uplink({ temperature_3: 27.2, relative_humidity_5: 48.5, temperatureSensor: { '3': 1 }, presence_1: 1 }),
			uplink({ air_temperature: { displayName: 'Air', value: 22.1, unit: '°C' }, battery_voltage: { value: 3 } }),
		],
	},
	chirpstack: {
		topic: 'application/1/device/0102030405060708/event/up',
		messages: [
			json({ deviceInfo: { devEui: '0102030405060708', deviceName: 'dev' }, fCnt: 1, object: { temperature: 21.5 } }),
		],
	},
	'cayenne-lpp': {
		topic: 'lpp/dev/up',
		messages: [
			Buffer.from('03670110056801', 'hex'),
			json({ end_device_ids: { device_id: 'dev' }, uplink_message: { f_port: 1, frm_payload: 'A2cBEA==' } }),
			json({ deviceInfo: { devEui: '01' }, fPort: 1, data: 'A2cBEA==' }),
		],
	},
	'people-counter': {
		topic: 'counter/push',
		messages: [
			json({
				logics_data: {
					sensor_info: { serial_number: '80:1F:12:D1:00:01' },
					logics: [
						{ id: 1, info: 'XLT_LINE_IN_OUT_COUNT', records: [{ to: 1, counts: [{ id: 0, name: 'fw', value: 2 }] }] },
					],
				},
			}),
			json({
				device_info: { device_sn: '6384' },
				time_info: { end_time: '2026/11/22 19:15:52', timezone: 'UTC+8:00', dst_status: false },
				line_periodic_data: [{ line: 1, total: { in: 1, out: 0 } }],
				current_counted: [5, 5],
				numbering_regions: [1, 2],
			}),
			json({ Source: { MacAddress: '00:02' }, Data: [{ CountingInfo: [{ RuleName: 'Door', In: 1, Out: 2 }] }] }),
		],
	},
	codec: {
		topic: 'lora/dev/up',
		messages: [
			Buffer.from('0367011005680113', 'hex'),
			json({ end_device_ids: { device_id: 'dev' }, uplink_message: { f_port: 85, frm_payload: 'A2cBEA==' } }),
			json({ deviceInfo: { devEui: '01' }, fPort: 85, data: 'A2cBEA==' }),
		],
	},
	jsonata: { topic: 'acme/1/uplink', messages: [json({ id: 'dev', n: 7 }), json([{ id: 'dev', n: 7 }])] },
};
