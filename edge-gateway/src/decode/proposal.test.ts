import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/gateway-file.ts';
import type { LoadedRule } from './decoder-config.ts';
import type { UnknownField } from './message/unknown-field.ts';
import { proposedRule } from './proposal.ts';

const RULE: LoadedRule = { topic: 'zigbee2mqtt/#', use: 'zigbee2mqtt', defaults: { buildingId: 'b1', roomId: 'hall' } };
const proposal = (fields: UnknownField[], rule = RULE) =>
	parseGatewayFile('proposal', proposedRule(rule, fields, BUILT_IN_METRICS));

describe('P13 a proposed rule', () => {
	it.each<[string, UnknownField, object, object | undefined]>([
		['a temperature', { key: 'local_temperature', sample: 21.5 }, { metric: 'temperature' }, undefined],
		['a humidity', { key: 'Hum', sample: 41 }, { metric: 'humidity' }, undefined],
		['people', { key: 'person_count', sample: 3 }, { metric: 'peopleCount' }, undefined],
		['people who came in', { key: 'counter_in', sample: 3 }, { metric: 'peopleIn' }, undefined],
		[
			'an air quality with a unit',
			{ key: 'tvoc', sample: 120, unit: 'ppb' },
			{ metric: 'voc', unit: 'ppb' },
			undefined,
		],
		[
			'a voltage',
			{ key: 'voltage', sample: 230.1 },
			{ metric: 'voltage' },
			{ key: 'voltage', unit: 'V', kind: 'gauge' },
		],
		['millivolts', { key: 'voltage', sample: 3005 }, { metric: 'voltage', unit: 'mV' }, { key: 'voltage', unit: 'V' }],
		[
			'a unit of the message',
			{ key: 'battery_voltage', sample: 2.9, unit: 'V' },
			{ metric: 'batteryVoltage' },
			{ unit: 'V' },
		],
		['a temperature of no room', { key: 'soil_temp', sample: -3 }, { metric: 'soilTemp' }, { unit: 'degC', min: -1e6 }],
		['a running total', { key: 'total_people_in', sample: 900 }, { metric: 'totalPeopleIn' }, { key: 'totalPeopleIn' }],
		[
			'a truth value',
			{ key: 'contact', sample: true },
			{ metric: 'contact', values: { true: 1, false: 0 } },
			{ kind: 'state' },
		],
		['a state', { key: 'state', sample: 'OFF' }, { metric: 'state', values: { ON: 1, OFF: 0 } }, { min: 0, max: 1 }],
		['a key of digits', { key: '4in1', sample: 1 }, { metric: 'm4in1' }, { key: 'm4in1' }],
	])('reads %s, and is a valid part of gateway.yaml', (_what, field, rename, define) => {
		const { decoders, metrics } = proposal([field]);
		expect(decoders).toEqual([{ ...RULE, rename: { [field.key]: rename } }]);
		if (define) expect(metrics).toMatchObject([define]);
		else expect(metrics).toBeUndefined();
	});

	it('keeps what the rule has, and adds to its rename', () => {
		const rule: LoadedRule = { ...RULE, rename: { vbat: { metric: 'battery', scale: 100 } } };
		expect(proposal([{ key: 'co2_ppm', sample: 450 }], rule).decoders).toEqual([
			{ ...rule, rename: { vbat: { metric: 'battery', scale: 100 }, co2_ppm: { metric: 'co2' } } },
		]);
	});

	it('is a rule with a codec for an uplink that nobody has decoded', () => {
		const text = proposedRule(
			{ topic: 'v3/+/devices/+/up', use: 'the-things-stack' },
			[{ key: 'frm_payload', kind: 'bytes', sample: 'A2cBEA==' }],
			BUILT_IN_METRICS,
		);
		expect(text).toBe('decoders:\n  - topic: v3/+/devices/+/up\n    use: codec\n    codec: the-codec-of-the-vendor.js');
	});

	it('is a mapping for keys inside objects', () => {
		expect(proposal([{ key: 'climate.air-temp', kind: 'nested', sample: 21 }]).decoders).toMatchObject([
			{ use: 'jsonata', mapping: '[{"sensorId": $name, "metric": "airTemp", "value": climate.`air-temp`}]' },
		]);
	});
});
