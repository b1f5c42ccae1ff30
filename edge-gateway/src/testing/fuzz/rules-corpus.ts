/** What devices send beside readings, or in forms that need a rule: rules of a gateway.yaml, and messages for them. */
import type { LoadedRule } from '../../decode/decoder-config.ts';
import { COUNTER_CODEC } from '../codecs.ts';
import { FUZZ_SENSOR } from './corpus.ts';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const texts = (...all: string[]): Buffer[] => all.map((one) => Buffer.from(one));
const place = { defaults: { buildingId: 'b1', roomId: 'hall', sensorId: FUZZ_SENSOR } };
const ROME = { timeZone: 'Europe/Rome' };

/** The name of the way in `POST /ingest/{path}` that a rule opens. */
export const FUZZ_PATH = 'webhook';
/** Without arithmetic, so that every value was sent as it is. */
const FIRST_NUMBER = '$match($text, /[0-9]{1,6}/)[0].match';
/** Reads the first number of a text. */
export const TEXT_MAPPING = `{"sensorId": "${FUZZ_SENSOR}", "metric": "co2", "value": ${FIRST_NUMBER}}`;

/** Rules for every way in which devices say that they are there, with a time zone, a text mapping and a codec. */
export const RULES: LoadedRule[] = [
	{ topic: 'spBv1.0/#', use: 'sparkplug-b', ...place },
	{ topic: 'zigbee2mqtt/#', use: 'zigbee2mqtt', ...ROME, ...place },
	{ topic: 'tele/+/SENSOR', use: 'tasmota', ...ROME, ...place },
	{ topic: 'v3/#', use: 'the-things-stack', ...place },
	{ topic: 'application/+/device/+/event/+', use: 'chirpstack', ...place },
	{ topic: '+/events/rpc', use: 'shelly', ...place },
	{ topic: '+/sensor/+/state', use: 'jsonata', mapping: TEXT_MAPPING, ...place },
	{ topic: 'text/+', use: 'jsonata', mapping: TEXT_MAPPING, ...ROME, ...place },
	{
		...{ topic: 'lora/+/up', use: 'codec', codec: 'counter.js', ...place },
		codecFile: { name: 'counter.js', text: COUNTER_CODEC },
	},
	{ path: FUZZ_PATH, use: 'zigbee2mqtt', ...ROME, ...place },
];

const gateway = { gateway_ids: { gateway_id: 'roof' } };
const device = { deviceInfo: { devEui: '0102030405060708' } };

/** Topics with what devices publish on them. */
export const RULE_MESSAGES: { topic: string; messages: Buffer[] }[] = [
	...['NDEATH/e', 'DDEATH/e/d', 'NBIRTH/e', 'DBIRTH/e/d', 'STATE/host'].map((end) => ({
		topic: `spBv1.0/g/${end}`,
		// A timestamp, and the metric bdSeq (UInt64) as a death has it; the JSON of a host's state.
		messages: [
			Buffer.from('0880e0f5d1b33312110a0562645365712008500758001800', 'hex'),
			json({ online: false, timestamp: 1_764_000_000_000 }),
		],
	})),
	{
		topic: `zigbee2mqtt/${FUZZ_SENSOR}`,
		messages: [
			json({ temperature: 20.5, humidity: 44.25, battery: 116, linkquality: 90, last_seen: '2026-11-22T10:00:00' }),
			json({ temperature: null, humidity: 'unavailable', co2: 418 }),
			Buffer.from('{"temperature":nan,"humidity":43}'),
			Buffer.from('\ufeff{"co2":419}'),
		],
	},
	{
		topic: `zigbee2mqtt/${FUZZ_SENSOR}/availability`,
		messages: texts('{"state":"offline"}', '{"state":"online"}', 'online', 'offline', ''),
	},
	{ topic: 'zigbee2mqtt/bridge/state', messages: texts('{"state":"offline"}', 'online') },
	{ topic: `zigbee2mqtt/${FUZZ_SENSOR}/temperature`, messages: texts('20.9', 'OFF', '') },
	{ topic: `tele/${FUZZ_SENSOR}/LWT`, messages: texts('Online', 'Offline', 'Offline\n') },
	{
		topic: `tele/${FUZZ_SENSOR}/SENSOR`,
		messages: [json({ Time: '2026-10-25T02:30:00', AM2301: { Temperature: 21, Humidity: 40 }, TempUnit: 'C' })],
	},
	{ topic: `tele/${FUZZ_SENSOR}/STATE`, messages: [json({ Uptime: '0T00:00:10', Heap: 25 })] },
	{ topic: 'porch/status', messages: texts('online', 'offline') },
	{ topic: 'porch/sensor/temperature/state', messages: texts('20.9', 'nan') },
	{ topic: 'shelly-1/online', messages: texts('true', 'false') },
	{
		topic: 'v3/app/devices/dev/up',
		messages: [
			json({
				end_device_ids: { device_id: 'dev' },
				uplink_message: { f_cnt: 1, rx_metadata: [gateway], decoded_payload: { temperature: '-1.6', humidity: 81 } },
			}),
		],
	},
	{
		topic: 'v3/app/devices/dev/join',
		messages: [json({ end_device_ids: { device_id: 'dev' }, join_accept: { received_at: '2026-11-28T12:00:00Z' } })],
	},
	{
		topic: 'v3/app/events',
		messages: ['gs.gateway.disconnect', 'gs.gateway.connect'].map((name) => json({ name, identifiers: [gateway] })),
	},
	{
		topic: 'application/1/device/0102030405060708/event/up',
		messages: [json({ ...device, rxInfo: [{ gatewayId: 'roof' }], fCnt: 2, object: { temperature: 21.5 } })],
	},
	{
		topic: 'application/1/device/0102030405060708/event/status',
		messages: [json({ ...device, margin: 7, batteryLevel: 88.5, batteryLevelUnavailable: false })],
	},
	{
		topic: 'application/1/device/0102030405060708/event/join',
		messages: [json({ ...device, devAddr: '00189440' })],
	},
	{
		topic: 'eu868/gateway/roof/state/conn',
		messages: [json({ gatewayId: 'roof', state: 'OFFLINE' }), json({ gatewayID: 'roof', state: 'ONLINE' })],
	},
	{ topic: `text/${FUZZ_SENSOR}`, messages: texts('420,3\r\n', 'T=-4.5 H=80', '[12:30:01] 421', '\u5ba2\u5385 422') },
	{ topic: 'lora/dev/up', messages: [Buffer.from('0800d70903', 'hex'), Buffer.from('ff090b21', 'hex')] },
];

/** Times as devices write them: with an offset, local, from 1970 on, in both hours of a change of the clocks. */
export const TIMES: Buffer[] = texts(
	'2026-11-22T10:00:00Z',
	'2026-11-22 10:00:00,123',
	'20261122T100000+0100',
	'2026-10-25T02:30:00',
	'2026-03-29T02:30:00',
	'2026-10-25T02:30:00[Europe/Rome]',
	'2026-12-31T23:59:60Z',
	'1764000000',
	'1764000000000',
	'1764000000000000000',
);
