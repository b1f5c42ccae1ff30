import { SettingsError } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/gateway-file.ts';

/** The message with which a gateway.yaml with this `occupancy` is refused; undefined if it is accepted. */
function mistake(...lines: string[]): string | undefined {
	try {
		parseGatewayFile('gateway.yaml', ['occupancy:', ...lines.map((line) => `  ${line}`)].join('\n'));
		return undefined;
	} catch (error) {
		if (!(error instanceof SettingsError)) throw error;
		return error.message;
	}
}

describe('occupancy in gateway.yaml', () => {
	it('accepts doors between rooms, counters that wrap, and rules for rooms', () => {
		expect(
			mistake(
				'nightlyReset: "04:00"',
				'quietFor: 6h',
				'timeZone: Europe/Rome',
				'bias: 0.05',
				'rooms:',
				'  - {buildingId: demo, nightlyReset: "03:30"}',
				'  - {buildingId: demo, roomId: hall, nightlyReset: "off", quietFor: "off"}',
				'doors:',
				'  - {sensorId: door-1, between: {from: hall, to: lab}, swapped: true}',
				'  - {sensorId: door-2, counter: cumulative, wrapAt: 65536, perMinute: 60, bias: 0.02, missRate: 0.01}',
				'  - {sensorId: door-2, buildingId: annex, wrapAt: 256}',
				'  - {sensorId: door-2, buildingId: tower, counter: since-last}',
			),
		).toBeUndefined();
	});

	it.each([
		[['nightlyReset: "24:00"'], 'gateway.yaml:2:17', 'a time of day such as "04:00"'],
		[['nightlyReset: 4'], 'gateway.yaml:2:17', 'a time of day such as "04:00"'],
		[['quietFor: 6 hours'], 'gateway.yaml:2:13', 'a duration such as 6h'],
		[['timeZone: Rome'], 'gateway.yaml:2:13', 'IANA name'],
		[['bias: 7'], 'gateway.yaml:2:9', 'bias'],
		[['doors:', '  - {sensorId: d, wrapAt: 256}'], 'gateway.yaml:3:29', 'only for counter: cumulative'],
		[['doors:', '  - {sensorId: d, between: {from: a, to: a}}'], 'gateway.yaml:3:30', 'from one room into another'],
		[
			['doors:', '  - {sensorId: d}', '  - {sensorId: d, swapped: true}'],
			'gateway.yaml:4:18',
			'listed in occupancy.doors.0 already',
		],
		[
			['doors:', ...['swapped: true', 'bias: 0.1'].map((rest) => `  - {sensorId: d, buildingId: b, ${rest}}`)],
			'gateway.yaml:4:18',
			'listed in occupancy.doors.0 already',
		],
		[
			[
				'doors:',
				'  - {sensorId: d, counter: cumulative}',
				'  - {sensorId: d, buildingId: b, counter: since-last, wrapAt: 256}',
			],
			'gateway.yaml:4:65',
			'only for counter: cumulative',
		],
		[['doors:', '  - {sensorId: d, counter: total}'], 'gateway.yaml:3:30', 'since-last, cumulative'],
	])('refuses %j with the mistake and its place', (lines, place, words) => {
		expect(mistake(...lines)).toContain(place);
		expect(mistake(...lines)).toContain(words);
	});
});
