import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';
import { isOwn, maySubscribe, publicationOf } from './topics.ts';

describe('a topic that a device publishes to', () => {
	it.each<[string, object]>([
		[
			'telemetry/b1/hall/door-3',
			{ kind: 'telemetry', context: { buildingId: 'b1', roomId: 'hall', sensorId: 'door-3' } },
		],
		[
			'telemetry/b1/great hall/door-3/temperature',
			{
				kind: 'telemetry',
				context: { buildingId: 'b1', roomId: 'great hall', sensorId: 'door-3', metric: 'temperature' },
			},
		],
		['status/door-3', { kind: 'status', sensorId: 'door-3' }],
	])('has the documented meaning as %s', (topic, expected) => {
		expect(publicationOf(topic)).toEqual(expected);
	});

	it.each([
		'',
		'/',
		'telemetry',
		'telemetry/b1/hall',
		'telemetry/b1/hall/door-3/temperature/x',
		'/telemetry/b1/hall/door-3',
		'telemetry/b1/hall/door-3/',
		'telemetry//hall/door-3',
		'telemetry/b1//door-3',
		'telemetry/b1/hall/',
		'telemetry/b1/hall/door 3',
		'telemetry/b1/ha\u0000ll/door-3',
		'telemetry/b"1/hall/door-3',
		'telemetry/b1/hall\ud800/door-3',
		`telemetry/b1/hall/${'s'.repeat(129)}`,
		'Telemetry/b1/hall/door-3',
		'status',
		'status/',
		'status/door-3/x',
		'command/door-3',
		'$SYS/x',
	])('has no meaning as %o', (topic) => {
		// An empty metric is left to the decoder, which refuses it because the catalog does not have it.
		const publication = publicationOf(topic);
		if (topic.endsWith('door-3/')) expect(publication).toMatchObject({ context: { metric: '' } });
		else expect(publication).toEqual({ kind: 'unknown' });
	});

	it('made of valid ids yields exactly these ids', () => {
		const place = fc.string({ minLength: 1, maxLength: 128 }).filter((text) => !/[/+#"\\\p{Cc}]/u.test(text));
		fc.assert(
			fc.property(place, place, fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/), (buildingId, roomId, sensorId) => {
				expect(publicationOf(`telemetry/${buildingId}/${roomId}/${sensorId}`)).toEqual({
					kind: 'telemetry',
					context: { buildingId, roomId, sensorId },
				});
			}),
		);
	});
});

describe('subscribing to a topic filter', () => {
	const scoped: Sender = {
		id: 'd1',
		domainName: 'acme',
		sensorIds: new Set(['door-3', 'door-4']),
		buildingId: undefined,
	};
	const ofBuilding: Sender = { id: 'd2', domainName: 'acme', sensorIds: undefined, buildingId: 'b1' };
	const unscoped: Sender = { id: 'd3', domainName: 'acme', sensorIds: undefined, buildingId: undefined };
	const sensors: Record<string, string> = { 'door-3': 'b1', 'door-9': 'b2' };
	const registry = {
		sensor: (sensorId: string) => sensors[sensorId] && { sensorId, buildingId: sensors[sensorId], roomId: 'hall' },
		building: () => undefined,
		isOfTenant: (buildingId: string) => buildingId !== 'foreign',
	} as unknown as Registry;

	it.each<[Sender, string]>([
		[scoped, 'command/door-3'],
		[scoped, 'status/door-4'],
		[scoped, 'telemetry/+/+/door-3'],
		[scoped, 'telemetry/b1/hall/door-3/#'],
		[scoped, 'telemetry/b1/hall/door-3/temperature'],
		[ofBuilding, 'command/door-3'],
		[ofBuilding, 'command/d2'],
		[unscoped, 'command/d3'],
	])('is allowed to %o for %s', (sender, filter) => {
		expect(maySubscribe(sender, filter, registry)).toBe(true);
	});

	it.each<[Sender, string]>([
		[scoped, '#'],
		[scoped, '+/+'],
		[scoped, 'command/+'],
		[scoped, 'command/#'],
		[scoped, 'command/door-5'],
		[scoped, 'command/door-3/#'],
		[scoped, 'command/d1'],
		[scoped, 'telemetry/#'],
		[scoped, 'telemetry/+/+/+'],
		[scoped, 'telemetry/b1/hall/#'],
		[scoped, 'telemetry/b1/hall/door-5'],
		[scoped, 'telemetry/foreign/hall/door-3'],
		[scoped, '+/b1/hall/door-3'],
		[scoped, '$SYS/#'],
		[scoped, '$refused'],
		[scoped, '$share/g/command/door-3'],
		[ofBuilding, 'command/door-9'],
		[ofBuilding, 'command/unknown'],
		[unscoped, 'command/door-3'],
	])('is refused to %o for %s', (sender, filter) => {
		expect(maySubscribe(sender, filter, registry)).toBe(false);
	});

	it('is never allowed for a filter that also matches topics of another device', () => {
		const level = fc.constantFrom(
			'telemetry',
			'status',
			'command',
			'b1',
			'hall',
			'door-3',
			'door-5',
			'+',
			'#',
			'',
			'$SYS',
		);
		fc.assert(
			fc.property(fc.array(level, { minLength: 1, maxLength: 6 }), (levels) => {
				if (!maySubscribe(scoped, levels.join('/'), registry)) return;
				const sensor = levels[0] === 'telemetry' ? levels[3] : levels[1];
				expect(isOwn(scoped, sensor!)).toBe(true);
				expect(levels.slice(0, levels[0] === 'telemetry' ? 4 : 2)).not.toContain('#');
			}),
			{ numRuns: 2000 },
		);
	});

	it('is allowed for the sensors in the token, or without a list for the one with the device’s own id', () => {
		expect([isOwn(scoped, 'door-3'), isOwn(scoped, 'd1'), isOwn(unscoped, 'd3'), isOwn(unscoped, 'door-3')]).toEqual([
			true,
			false,
			true,
			false,
		]);
	});
});
