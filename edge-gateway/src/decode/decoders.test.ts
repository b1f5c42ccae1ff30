import { afterEach, describe, expect, it } from 'vitest';
import type { DecoderRule } from './decoder-config.ts';
import { Decoders, withDefaults } from './decoders.ts';

const open: Decoders[] = [];
afterEach(async () => {
	for (const decoders of open.splice(0)) await decoders.close();
});
function decodersOf(...rules: DecoderRule[]): Decoders {
	const decoders = new Decoders(rules, async () => undefined);
	open.push(decoders);
	return decoders;
}

describe('Decoders', () => {
	it('chooses the first rule whose topic filter matches', () => {
		const decoders = decodersOf(
			{ topic: 'a/+/x', use: 'tasmota' },
			{ topic: 'a/#', use: 'shelly' },
			{ topic: '+/b/x', use: 'canonical' },
		);
		expect(decoders.forTopic('a/b/x')?.rule.use).toBe('tasmota');
		expect(decoders.forTopic('a/b/y')?.rule.use).toBe('shelly');
		expect(decoders.forTopic('c/b/x')?.rule.use).toBe('canonical');
		expect(decoders.forTopic('c/c/c')).toBeUndefined();
	});

	it.each([
		['zigbee2mqtt/+', 'zigbee2mqtt/hall', 'hall'],
		['zigbee2mqtt/#', 'zigbee2mqtt/floor1/hall', 'floor1/hall'],
		['+/site/+/up', 'acme/site/7/up', 'acme/7'],
		['acme/uplink', 'acme/uplink', undefined],
	])('gives for the filter %s and the topic %s the name %s', (topic, published, name) => {
		expect(decodersOf({ topic, use: 'canonical' }).forTopic(published)).toMatchObject({ name });
	});

	it("matches the gateway's own topics only if the filter names their first level", () => {
		const wild = decodersOf({ topic: '#', use: 'canonical' }, { topic: '+/+/+/+', use: 'canonical' });
		for (const topic of ['telemetry/b/r/s', 'status/s', 'command/s/result', 'bridge/x/state', '$SYS/x'])
			expect(wild.forTopic(topic)).toBeUndefined();
		expect(wild.forTopic('x')?.rule.use).toBe('canonical');
		expect(decodersOf({ topic: 'telemetry/+/+/+', use: 'senml' }).forTopic('telemetry/b/r/s')?.rule.use).toBe('senml');
	});

	it('chooses the rule of a content type, and decodes SenML without a rule', () => {
		const decoders = decodersOf({ contentType: 'application/vnd.acme+json', use: 'jsonata', mapping: 'x' });
		expect(decoders.forContentType('application/vnd.acme+json')?.rule.use).toBe('jsonata');
		expect(decoders.forContentType('application/senml+json')?.rule.use).toBe('senml');
		expect(decoders.forContentType('application/senml+cbor')?.rule.use).toBe('senml');
		expect(decoders.forContentType('application/json')).toBeUndefined();
		expect(
			decodersOf({ contentType: 'application/senml+json', use: 'canonical' }).forContentType('application/senml+json')
				?.rule.use,
		).toBe('canonical');
	});

	it('keeps the state of a decoder whose rule stays when the rules change', async () => {
		const unchanged: DecoderRule = { topic: 'spBv1.0/#', use: 'sparkplug-b' };
		const decoders = decodersOf(unchanged, { topic: 'a', use: 'tasmota' });
		const before = [decoders.forTopic('spBv1.0/x'), decoders.generation] as const;
		await decoders.update([{ topic: 'b', use: 'tasmota' }, unchanged]);
		expect(decoders.forTopic('spBv1.0/x')?.rule).toBe(before[0]?.rule);
		expect(decoders.generation).toBeGreaterThan(before[1]);
		expect([decoders.forTopic('a'), decoders.forTopic('b')?.rule.use]).toEqual([undefined, 'tasmota']);
	});
});

describe('withDefaults', () => {
	const defaults = { buildingId: 'b', roomId: 'r', sensorId: 'default' };
	const unregistered = () => false;

	it("takes what a reading does not name from the rule, then from the sender's only sensor", () => {
		expect(withDefaults({ value: 1 }, defaults, 'only', unregistered)).toEqual({
			value: 1,
			sensorId: 'default',
			buildingId: 'b',
			roomId: 'r',
		});
		expect(withDefaults({ value: 1 }, {}, 'only', unregistered)).toEqual({ value: 1, sensorId: 'only' });
		expect(withDefaults({ sensorId: 's', roomId: 'own' }, defaults, 'only', unregistered)).toEqual({
			sensorId: 's',
			buildingId: 'b',
			roomId: 'own',
		});
	});

	it("leaves a registered sensor without the rule's place", () => {
		expect(withDefaults({ sensorId: 's' }, defaults, undefined, (sensorId) => sensorId === 's')).toEqual({
			sensorId: 's',
		});
	});
});
