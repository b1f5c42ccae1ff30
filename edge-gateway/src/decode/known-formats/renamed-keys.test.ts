import { MetricCatalog } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { readingsIn, type Sent } from '../../testing/decoded-messages.ts';
import { sparkplugPayload } from '../../testing/sparkplug-node.ts';
import { FORMATS } from '../format-table.ts';
import type { VendorMetric } from '../vendor/vendor-table.ts';
import { Vocabulary } from '../vendor/vocabulary.ts';

const counter = (payload: object): Sent => ({ use: 'people-counter', topic: 'POST /ingest/counter', payload });
const metrics = new MetricCatalog([
	{ key: 'contact', unit: '', min: 0, max: 1 },
	{ key: 'prams', unit: '', min: 0, max: 1000 },
	{ key: 'voltage', unit: 'V', min: 0, max: 400 },
]);

describe('P13 rename in a rule', () => {
	it.each<[string, Sent, Record<string, VendorMetric>, string[]]>([
		[
			'a line of Xovis that was drawn the wrong way round, and prams',
			counter({
				logics_data: {
					sensor_info: { serial_number: 'x' },
					logics: [
						{ id: 1, info: 'XLT_LINE_IN_OUT_COUNT', records: [{ counts: [{ name: 'FW', value: 4 }] }] },
						{ id: 2, info: 'XLT_PRAM_LINE_IN_OUT_COUNT', records: [{ counts: [{ name: 'fw', value: 2 }] }] },
					],
				},
			}),
			{ fw: { metric: 'peopleOut' }, 'XLT_PRAM_LINE_IN_OUT_COUNT/fw': { metric: 'prams' } },
			['x.1 peopleOut 4', 'x.2 prams 2'],
		],
		[
			'children of a line of Milesight',
			counter({
				device_info: { device_sn: '63' },
				line_periodic_data: [{ line: 2, total: { in: 5, out: 3 }, children: { in: 2 } }],
			}),
			{ 'children/in': { metric: 'prams' } },
			['63.line_2 prams 2', '63.line_2 peopleIn 5', '63.line_2 peopleOut 3'],
		],
		[
			'a count of Vivotek',
			counter({ Source: { MacAddress: '00:02' }, Data: [{ CountingInfo: [{ RuleName: 'a', Inside: 7 }] }] }),
			{ Inside: { metric: 'peopleCount' } },
			['0002.a peopleCount 7'],
		],
		[
			'metrics of Sparkplug by the last level and by the whole name, numbers and truth values',
			{
				use: 'sparkplug-b',
				topic: 'spBv1.0/hq/DBIRTH/pi-1/hall',
				payload: sparkplugPayload({
					timestamp: 1.7e12,
					seq: 1,
					metrics: [
						{ name: 'Door/Open', boolean: true },
						{ name: 'Supply/Volts', int: 3005 },
						{ name: 'CPU/temperature', double: 70 },
						{ name: 'Air/T', double: 71.6 },
					],
				}),
			},
			{
				Open: { metric: 'contact', values: { true: 1, false: 0 } },
				'Supply/Volts': { metric: 'voltage', unit: 'mV' },
				T: { metric: 'temperature', unit: 'degF' },
			},
			[
				'hq.pi-1.hall.Door contact 1 1700000000000',
				'hq.pi-1.hall.Supply voltage 3005 mV 1700000000000',
				'hq.pi-1.hall.Air temperature 71.6 degF 1700000000000',
			],
		],
		[
			'records of SenML, numbers, truth values and texts',
			{
				use: 'senml',
				topic: 'POST /ingest',
				payload: [
					{ bn: 'urn:dev:x:', n: 'vbat', v: 3005 },
					{ n: 'open', vb: true },
					{ n: 'door', vs: 'ajar' },
					{ n: 'co2', vs: '612' },
				],
			},
			{
				vbat: { metric: 'voltage', scale: 0.001 },
				open: { metric: 'contact', values: { true: 1, false: 0 } },
				'urn:dev:x:door': { metric: 'contact', values: { ajar: 1, shut: 0 } },
			},
			['urn:dev:x voltage 3.005', 'urn:dev:x contact 1', 'urn:dev:x contact 1', 'urn:dev:x co2 612'],
		],
		[
			'a switch of Tasmota itself',
			{ use: 'tasmota', topic: 'tele/porch/SENSOR', name: 'porch', payload: { Switch1: 'ON' } },
			{ Switch1: { metric: 'contact', values: { ON: 1, OFF: 0 } } },
			['porch contact 1'],
		],
	])('reads %s', (_what, sent, rename, expected) => {
		expect(readingsIn(sent, new Vocabulary({ rename, metrics }))).toEqual(expected);
	});

	it('is taken by every decoder of a format that is not written by the user', () => {
		const without = Object.entries(FORMATS).filter(([, format]) => !('renames' in format));
		expect(without.map(([use]) => use)).toEqual(['canonical', 'cbor', 'jsonata']);
	});
});
