import { SettingsError } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/gateway-file.ts';

/** The mistakes in a gateway.yaml. */
function mistakes(text: string): string[] {
	try {
		parseGatewayFile('gateway.yaml', text);
		return [];
	} catch (error) {
		if (error instanceof SettingsError) return error.message.split('\n');
		throw error;
	}
}

const VOLTAGE = '{key: voltage, unit: V, min: 0, max: 400}';

describe('metrics in gateway.yaml', () => {
	it('may be named by decoder rules, timeouts and columns of a serial line', () => {
		const text = `
metrics: [${VOLTAGE}]
decoders: [{topic: a, use: tasmota, rename: {Voltage: {metric: voltage}}}]
devices: {timeouts: {voltage: 1h}}
sources: {serial: [{path: /dev/x, framing: csv, csv: {columns: [sensorId, voltage]}}]}
`;
		expect(mistakes(text)).toEqual([]);
	});

	it.each([
		[
			'a key with a hyphen',
			'{key: a-b, unit: V, min: 0, max: 1}',
			/^gateway\.yaml:2:11: metrics\.0\.key must be 1\.\.64/,
		],
		[
			'a built-in key',
			'{key: co2, unit: ppm, min: 0, max: 1}',
			/:2:11: metrics\.0\.key is a metric of the catalog already$/,
		],
		['no range', '{key: voltage, unit: V}', /metrics\.0\.min is required/],
		[
			'an empty range',
			'{key: voltage, unit: V, min: 5, max: 5}',
			/:2:34: metrics\.0\.min must be below max, which is 5$/,
		],
		[
			'an unknown kind',
			'{key: voltage, unit: V, min: 0, max: 1, kind: mood}',
			/metrics\.0\.kind must be one of gauge, flow, state$/,
		],
		['an unknown option', '{key: voltage, unit: V, min: 0, max: 1, label: x}', /metrics\.0\.label is not known here/],
	])('are refused for %s', (_what, metric, expected) => {
		expect(mistakes(`metrics:\n  - ${metric}\n`)[0]).toMatch(expected);
	});

	it('are refused when two have one key', () => {
		expect(mistakes(`metrics:\n  - ${VOLTAGE}\n  - ${VOLTAGE}\n`)[0]).toMatch(
			/:3:11: metrics\.1\.key is defined twice$/,
		);
	});

	it.each([
		[
			'a rule',
			'decoders: [{topic: a, use: tasmota, rename: {V: {metric: volts}}}]',
			/decoders\.0\.rename\.V\.metric must be one of /,
		],
		['a timeout', 'devices: {timeouts: {volts: 1h}}', /devices\.timeouts\.volts is not known here/],
		[
			'a column',
			'sources: {serial: [{path: /dev/x, framing: csv, csv: {columns: [volts]}}]}',
			/columns\.0 must be one of .*, voltage$/,
		],
	])('must exist where %s names one', (_what, text, expected) => {
		expect(mistakes(`metrics: [${VOLTAGE}]\n${text}\n`)[0]).toMatch(expected);
	});
});
