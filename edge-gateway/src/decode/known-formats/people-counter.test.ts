import { describe, expect, it } from 'vitest';
import { decode, type Row, readingsIn, type Sent } from '../../testing/decoded-messages.ts';

const counter = (payload: object): Sent => ({ use: 'people-counter', topic: 'POST /ingest/counter', payload });

describe('P13 known formats: the push of people counters', () => {
	it.each<Row>([
		[
			'Xovis, two minutes of a line, at the end of each',
			counter({
				logics_data: {
					package_info: { version: '5.0', id: 12 },
					sensor_info: { serial_number: '80:1F:12:D1:22:33', type: 'SINGLE_SENSOR' },
					logics: [
						{
							id: 3,
							name: 'Main door',
							info: 'XLT_LINE_IN_OUT_COUNT',
							records: [
								{
									from: '2026-11-28T11:57:00+01:00',
									to: '2026-11-28T11:58:00+01:00',
									counts: [
										{ id: 1, name: 'fw', value: 4 },
										{ id: 2, name: 'bw', value: 1 },
									],
								},
								{
									from: 1_795_860_000_000,
									to: 1_795_860_060_000,
									counts: [
										{ id: 1, name: 'fw', value: 0 },
										{ id: 2, name: 'bw', value: 2 },
									],
								},
							],
						},
					],
				},
			}),
			[
				'80:1F:12:D1:22:33.3 peopleIn 4 2026-11-28T11:58:00+01:00',
				'80:1F:12:D1:22:33.3 peopleOut 1 2026-11-28T11:58:00+01:00',
				'80:1F:12:D1:22:33.3 peopleIn 0 1795860060000',
				'80:1F:12:D1:22:33.3 peopleOut 2 1795860060000',
			],
		],
		[
			'Xovis, a zone, and logics that count no people',
			counter({
				logics_data: {
					sensor_info: { serial_number: 'x-1' },
					logics: [
						{
							id: 1,
							info: 'XLT_ZONE_OCCUPANCY_COUNT',
							records: [{ to: 1_795_860_060_000, counts: [{ name: 'balance', value: 17 }] }],
						},
						{ id: 2, info: 'XLT_PRAM_LINE_IN_OUT_COUNT', records: [{ counts: [{ name: 'fw', value: 1 }] }] },
						{ id: 4, info: 'XLT_QUEUE_STATISTICS', records: [{ counts: [{ name: 'count', value: 9 }] }] },
					],
				},
			}),
			['x-1.1 peopleCount 17 1795860060000'],
		],
		[
			'Milesight VS125, the period and neither triggers nor running totals',
			counter({
				device_info: { device_sn: '6384E161', device_name: 'Door' },
				time_info: {
					start_time: '2026/11/28 10:00:00',
					end_time: '2026/11/28 10:05:00',
					time_zone: 'UTC+1:00 CET',
					dst_status: false,
				},
				line_trigger_data: [{ line: 1, total: { in: 1, out: 0 } }],
				line_periodic_data: [{ line: 1, line_name: 'Line1', total: { in: 6, out: 2 } }],
				line_total_data: [{ line: 1, total: { in_counted: 600, out_counted: 590 } }],
			}),
			['6384E161.line_1 peopleIn 6 2026-11-28T10:05:00+01:00', '6384E161.line_1 peopleOut 2 2026-11-28T10:05:00+01:00'],
		],
		[
			'Milesight VS135, in and out beside the line, in summer time',
			counter({
				device_info: { device_sn: '6614' },
				time_info: { end_time: '2026-07-16 06:41:00', time_zone: 'UTC-0:00 WET/GMT', dst_status: true },
				line_periodic_data: [{ line: 2, in: 0, out: 3 }],
			}),
			['6614.line_2 peopleIn 0', '6614.line_2 peopleOut 3'],
		],
		[
			'Milesight VS121-P, the room and its regions',
			counter({
				event: 'Region People Counting',
				device_info: { device_sn: '3693' },
				current_total: 10,
				max_counted: 12,
				numbering_regions: [1, 4],
				current_counted: [7, 3],
				occupancy: [1, 1],
			}),
			['3693 peopleCount 10', '3693.region_1 peopleCount 7', '3693.region_4 peopleCount 3'],
		],
		[
			'Vivotek, two counting rules',
			counter({
				Source: { UtcTime: '2026-11-28T06:30:01Z', MacAddress: '00:02:D1:31:00:08' },
				Data: [
					{
						RuleType: 'Counting',
						CountingInfo: [
							{ RuleName: 'North', In: 1, Out: 2, StartTime: '2026-11-28T06:15:00Z', EndTime: '2026-11-28T06:30:00Z' },
							{ RuleName: 'South', In: 0, Out: 5 },
						],
					},
				],
			}),
			[
				'0002d1310008.North peopleIn 1 2026-11-28T06:30:00Z',
				'0002d1310008.North peopleOut 2 2026-11-28T06:30:00Z',
				'0002d1310008.South peopleIn 0',
				'0002d1310008.South peopleOut 5',
			],
		],
	])('reads %s', (_what, sent, expected) => {
		expect(readingsIn(sent)).toEqual(expected);
	});

	it.each([
		[{ live_data: { frames: [] } }],
		[{ status_data: {} }],
		[{ logics_data: { logics: 'x' } }],
		[{ device_info: { device_sn: 'a' }, line_trigger_data: [{ line: 1, total: { in: 1, out: 0 } }] }],
		[{}],
	])('finds no reading in %j', (payload) => {
		expect(decode(counter(payload))).toBe('no_metric');
	});
});
