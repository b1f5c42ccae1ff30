import { afterEach, describe, expect, it } from 'vitest';
import type { DecoderRule } from './decoder-config.ts';
import { Decoders } from './decoders.ts';
import { stateIn } from './message/presence.ts';

const open: Decoders[] = [];
afterEach(async () => {
	for (const decoders of open.splice(0)) await decoders.close();
});
function tellsOf(rule: DecoderRule, topic: string) {
	const decoders = new Decoders([rule], async () => undefined);
	open.push(decoders);
	return decoders.forTopic(topic)?.tellsOf;
}
const device = (topic: string) => ({ kind: 'topic', topic, below: false });
const below = (topic: string) => ({ kind: 'topic', topic, below: true });

describe('P13 right in meaning: a message about a device that came or went', () => {
	it.each<[DecoderRule['use'], string, string, object | undefined]>([
		['zigbee2mqtt', 'zigbee2mqtt/#', 'zigbee2mqtt/porch/availability', device('zigbee2mqtt/porch')],
		['zigbee2mqtt', 'zigbee2mqtt/+', 'zigbee2mqtt/porch/availability', device('zigbee2mqtt/porch')],
		['zigbee2mqtt', 'zigbee2mqtt/#', 'zigbee2mqtt/floor/th/availability', device('zigbee2mqtt/floor/th')],
		['zigbee2mqtt', 'zigbee2mqtt/+', 'zigbee2mqtt/bridge/state', below('zigbee2mqtt')],
		['tasmota', 'tele/#', 'tele/porch/LWT', below('tele/porch')],
		['tasmota', 'tele/+/SENSOR', 'tele/porch/LWT', below('tele/porch')],
		['tasmota', 'site/+/tele/+/SENSOR', 'site/1/tele/porch/LWT', below('site/1/tele/porch')],
		['jsonata', '+/sensor/+/state', 'living/status', below('living')],
		['shelly', '+/events/rpc', 'shellyplus-01/online', below('shellyplus-01')],
		['tasmota', 'tele/+/SENSOR', 'tele/porch/SENSOR', undefined],
		['tasmota', 'tele/+/SENSOR', 'stat/porch/LWT', undefined],
		['tasmota', 'tele/+/SENSOR', 'LWT', undefined],
		['zigbee2mqtt', 'zigbee2mqtt/#', 'zigbee2mqtt/bridge/info', undefined],
		['tasmota', '#', 'status/porch', undefined],
	])('for a rule %s on %s is known by its topic %s', (use, topic, published, expected) => {
		const mapping = use === 'jsonata' ? { mapping: 'x' } : {};
		expect(tellsOf({ topic, use, ...mapping }, published)).toEqual(expected);
	});

	it.each<[string, 'online' | 'offline' | undefined]>([
		['online', 'online'],
		['offline', 'offline'],
		['Online', 'online'],
		['Offline', 'offline'],
		['{"state":"online"}', 'online'],
		['{"state":"offline"}', 'offline'],
		['{"state": "OFFLINE", "since": 12}', 'offline'],
		['{"online":false}', 'offline'],
		['true', 'online'],
		['false', 'offline'],
		[' offline\n', 'offline'],
		['', undefined],
		['{}', undefined],
		['{"state":', undefined],
		['{"state":"ON"}', undefined],
		['20.9', undefined],
		['constructor', undefined],
		[`offline${' '.repeat(200)}`, undefined],
	])('says in the payload %j: %s', (payload, expected) => {
		expect(stateIn(Buffer.from(payload))).toBe(expected);
	});
});
