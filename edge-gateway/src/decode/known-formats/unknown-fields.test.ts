import { MetricCatalog } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { chirpstackUplink, type Sent, thingsUplink } from '../../testing/decoded-messages.ts';
import { message } from '../../testing/messages.ts';
import { type SentMetric, sparkplugPayload } from '../../testing/sparkplug-node.ts';
import { FORMATS } from '../format-table.ts';
import { Vocabulary, type VocabularyOptions } from '../vendor/vocabulary.ts';

/** The keys that look like measures and are not read, with what they hold. */
function unknownIn({ use, topic, name, payload }: Sent, options?: VocabularyOptions): string[] {
	const decoder = FORMATS[use].open({
		mapping: '',
		publish: async () => undefined,
		vocabulary: new Vocabulary(options),
	});
	const sent = { ...message(topic, payload, name), unknown: [] };
	decoder.decode(sent);
	return sent.unknown.map(({ key, sample, unit }) => `${key} ${sample}${unit ? ` ${unit}` : ''}`);
}

const zigbee = (state: object): Sent => ({ use: 'zigbee2mqtt', topic: 'zigbee2mqtt/a', name: 'a', payload: state });
const tasmota = (telemetry: object): Sent => ({
	use: 'tasmota',
	topic: 'tele/a/SENSOR',
	name: 'a',
	payload: telemetry,
});
const shelly = (params: object): Sent => ({
	use: 'shelly',
	topic: 's/events/rpc',
	payload: { src: 's', method: 'NotifyStatus', params },
});
const lpp = (hex: string): Sent => ({
	use: 'cayenne-lpp',
	topic: 'lpp/a',
	name: 'a',
	payload: Buffer.from(hex, 'hex'),
});

const sparkplug = (metrics: SentMetric[], device = 'hall'): Sent => ({
	use: 'sparkplug-b',
	topic: `spBv1.0/hq/DBIRTH/pi-1/${device}`,
	payload: sparkplugPayload({ timestamp: 1.7e12, seq: 1, metrics }),
});
const senml = (...records: object[]): Sent => ({ use: 'senml', topic: 'POST /ingest', payload: records });
const counter = (payload: object): Sent => ({ use: 'people-counter', topic: 'POST /ingest/counter', payload });
const xovis = (info: string, ...counts: object[]) =>
	counter({ logics_data: { sensor_info: { serial_number: 'x' }, logics: [{ id: 1, info, records: [{ counts }] }] } });
const milesight = (push: object) => counter({ device_info: { device_sn: '63' }, ...push });

describe('P13 what looks like a measure and is not read', () => {
	it.each<[string, Sent, string[]]>([
		[
			'a door contact',
			zigbee({ contact: true, battery_low: false, linkquality: 90 }),
			['contact true', 'battery_low false'],
		],
		[
			'a plug',
			zigbee({ state: 'ON', power: 12.5, voltage: 230, update: { state: 'idle' } }),
			['state ON', 'power 12.5', 'voltage 230'],
		],
		['beside what is read', zigbee({ temperature: 21, voc: 120, last_seen: 1.7e12 }), ['voc 120']],
		[
			'a radiator valve',
			zigbee({ local_temperature: 21.5, child_lock: 'UNLOCK', position: 40 }),
			['local_temperature 21.5', 'position 40'],
		],
		['a number as text', zigbee({ distance: '1.32', device: { model: 'x' } }), ['distance 1.32']],
		['a power meter of Tasmota', tasmota({ ENERGY: { Power: 42, Voltage: 231 } }), ['Power 42', 'Voltage 231']],
		[
			'a Zigbee device of Tasmota',
			tasmota({ ZbReceived: { '0x1': { Device: '0x1', Contact: 0, LinkQuality: 9 } } }),
			['Contact 0'],
		],
		['a switch of Shelly', shelly({ 'switch:0': { id: 0, output: true, apower: 3.2 } }), ['output true', 'apower 3.2']],
		['a battery of Shelly', shelly({ 'devicepower:0': { id: 0, battery: { V: 5.9, percent: 80 } } }), ['V 5.9']],
		[
			'a decoded uplink',
			thingsUplink({ distance: 1234, battery: 87, rssi: -80, history: [] }),
			['distance 1234', 'battery 87'],
		],
		[
			'the unit of the message',
			thingsUplink({ battery_voltage: { value: 2.9, unit: 'V' } }),
			['battery_voltage 2.9 V'],
		],
		['a key inside an object', chirpstackUplink({ climate: { temp: 21 }, fPort: 5 }), ['climate.temp 21']],
		['CayenneLPP by name', thingsUplink({ analog_in_3: 4.2, temperature_1: 20 }), ['analog_in 4.2']],
		['CayenneLPP of ChirpStack', chirpstackUplink({ digitalInput: { 2: 1 } }), ['digital_in 1']],
		['CayenneLPP as bytes', lpp('0166010267010e'), ['presence 1']],
		['a running total, of which nothing else is read', thingsUplink({ total_in: 18 }), ['total_in 18']],
		[
			'an uplink that nobody decoded',
			{
				...thingsUplink({}),
				payload: { end_device_ids: { device_id: 'd' }, uplink_message: { frm_payload: 'A2cBEA==' } },
			},
			['frm_payload A2cBEA=='],
		],
		['a switch of Tasmota', tasmota({ Switch1: 'ON', Time: 'x', TempUnit: 'C' }), ['Switch1 ON']],
		['a list of objects', chirpstackUplink({ probes: [{ t: { deg: 4 } }, { t: { deg: 5 } }] }), ['probes.t.deg 5']],
		[
			'a metric of Sparkplug, with its unit',
			sparkplug([
				{ name: 'Door/Open', boolean: true },
				{ name: 'Tank/Level', double: 1.2, properties: { engUnit: 'm' } },
			]),
			['Open true', 'Level 1.2 m'],
		],
		[
			'metrics of Sparkplug that differ before the last level only',
			sparkplug([
				{ name: 'In/1/Value', int: 4 },
				{ name: 'In/2/Value', int: 5 },
				{ name: 'co2', int: 400 },
			]),
			['In/1/Value 4', 'In/2/Value 5'],
		],
		['a text of Sparkplug that is a state', sparkplug([{ name: 'Window', string: 'open' }]), ['Window open']],
		[
			'records of SenML, with their unit',
			senml({ bn: 'urn:dev:x:', n: 'voltage', u: 'V', v: 3.01 }, { n: 'open', vb: false }, { n: 'door', vs: 'closed' }),
			['voltage 3.01 V', 'open false', 'door closed'],
		],
		['a sum of SenML', senml({ n: 'meter', u: 'J', s: 500 }), ['meter 500 J']],
		[
			'a logic of Xovis that counts something else',
			xovis('XLT_PRAM_LINE_IN_OUT_COUNT', { name: 'fw', value: 2 }),
			['XLT_PRAM_LINE_IN_OUT_COUNT/fw 2'],
		],
		[
			'a count of Xovis of another name',
			xovis('XLT_LINE_IN_OUT_COUNT', { name: 'fw', value: 2 }, { name: 'children', value: 1 }),
			['children 1'],
		],
		[
			'a part of a line of Milesight',
			milesight({ line_periodic_data: [{ line: 1, total: { in: 1, out: 0 }, children: { in: 1 } }] }),
			['children/in 1'],
		],
		[
			'a push of Milesight with triggers only',
			milesight({ line_trigger_data: [{ line: 1, total: { in: 1, out: 0 } }] }),
			['line_trigger_data.total.in 1', 'line_trigger_data.total.out 0'],
		],
		[
			'a count of Vivotek of another name',
			counter({
				Source: { MacAddress: '00:02' },
				Data: [{ RuleType: 'Counting', CountingInfo: [{ RuleName: 'a', In: 1, Out: 2, Inside: 7 }] }],
			}),
			['Inside 7'],
		],
		[
			'a people counter of another maker',
			counter({ sensor: { id: 7 }, lanes: [{ in: 3, out: 1 }] }),
			['lanes.in 3', 'lanes.out 1'],
		],
	])('is told: %s', (_what, sent, expected) => {
		expect(unknownIn(sent)).toEqual(expected);
	});

	it.each<[string, Sent]>([
		[
			'radio, counters and ids',
			thingsUplink({ co2: 400, rssi: -80, snr: 7, f_cnt: 3, sensor_id: 12, serial_number: '6' }),
		],
		[
			'times, versions and settings',
			zigbee({ temperature: 1, last_seen: 'x', firmware_version: 3, report_interval: 60 }),
		],
		['a total beside the period', thingsUplink({ total_in: 18, total_out: 22, period_in: 1, period_out: 2 })],
		[
			'what is calculated from it',
			tasmota({ SCD30: { CarbonDioxide: 500, eCO2: 450, Temperature: 20, DewPoint: 10 } }),
		],
		['the same in °F', shelly({ 'temperature:0': { id: 0, tC: 20, tF: 68 } })],
		['a line and a region', thingsUplink({ line_1_period_in: 2, region_1_count: 3 })],
		[
			'what Sparkplug reserves',
			sparkplug([
				{ name: 'bdSeq', long: 3n },
				{ name: 'Node Control/Rebirth', boolean: false },
				{ name: 'Properties/Hardware Version', string: '2' },
				{ name: 'co2', int: 500 },
			]),
		],
		['a bad value of Sparkplug', sparkplug([{ name: 'Level', double: 1, properties: { Quality: 0 } }])],
		[
			'texts and data of SenML',
			senml({ n: 'label', vs: 'Machine Room' }, { n: 'tag', vd: 'aGk' }, { n: 'rssi', v: -80 }),
		],
		[
			'what Milesight says again',
			milesight({
				line_periodic_data: [{ line: 1, total: { in: 1, out: 0 } }],
				line_trigger_data: [{ line: 1, total: { in: 1, out: 0 } }],
				line_total_data: [{ line: 1, total: { in_counted: 90, out_counted: 80 } }],
			}),
		],
		['null', zigbee({ temperature: 20, power: null })],
		['texts and lists', thingsUplink({ co2: 1, note: 'in the hall', values: [1, 2] })],
	])('is not: %s', (_what, sent) => {
		expect(unknownIn(sent)).toEqual([]);
	});

	it('is read once the rule renames it, or a metric has its name', () => {
		const sent = zigbee({ power: 12.5, voltage: 230 });
		expect(unknownIn(sent, { rename: { voltage: { metric: 'co2' } } })).toEqual(['power 12.5']);
		const metrics = new MetricCatalog([{ key: 'power', unit: 'W', min: 0, max: 1e4 }]);
		expect(unknownIn(sent, { metrics })).toEqual(['voltage 230']);
	});
});
