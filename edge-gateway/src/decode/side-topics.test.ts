import { describe, expect, it } from 'vitest';
import { Decoders } from './decoders.ts';
import type { FormatName } from './format-table.ts';

const SHORT = '{"sensorId": $name, "temperature": $}';
const sideOf = (topic: string, use: FormatName, published: string) => {
	const rule = { topic, use, ...(use === 'jsonata' && { mapping: SHORT }) };
	return new Decoders([rule], async () => undefined).forTopic(published)?.side;
};

describe('P13 the side topics of a product', () => {
	it.each<[string, FormatName, string[]]>([
		[
			'zigbee2mqtt/+',
			'zigbee2mqtt',
			['kitchen/temperature', 'kitchen/state', 'kitchen/set', 'bridge/info', 'bridge/logging', 'bridge/response/x'].map(
				(rest) => `zigbee2mqtt/${rest}`,
			),
		],
		[
			'home/z2m/+',
			'zigbee2mqtt',
			['home/z2m/kitchen/state', 'home/z2m/bridge/devices', 'homeassistant/sensor/x/config'],
		],
		['zigbee2mqtt/kitchen', 'zigbee2mqtt', ['zigbee2mqtt/kitchen/humidity', 'zigbee2mqtt/bridge/info']],
		['zigbee2mqtt/+', 'jsonata', ['zigbee2mqtt/kitchen/temperature']],
		[
			'tele/+/SENSOR',
			'tasmota',
			[
				'tele/th/STATE',
				'tele/th/INFO1',
				'tele/th/UPTIME',
				'tele/th/RESULT',
				'stat/th/RESULT',
				'stat/th/POWER',
				'stat/th/STATUS10',
				'stat/th/LOGGING',
				'cmnd/th/POWER',
				'tasmota/discovery/AABB/config',
				'homeassistant/switch/th/power/config',
			],
		],
		['+/tele/SENSOR', 'tasmota', ['th/tele/STATE', 'th/stat/RESULT', 'th/cmnd/TelePeriod']],
		['site/tele/+/SENSOR', 'tasmota', ['site/tele/th/INFO2', 'site/stat/th/POWER1']],
		[
			'+/events/rpc',
			'shelly',
			['shellyht-1/debug/log', 'shellyht-1/command', 'shellyht-1/rpc', 'shellyht-1/status/wifi', 'shellies/announce'],
		],
		['site/+/events/rpc', 'shelly', ['site/shelly-1/debug/log', 'site/shelly-1/status/sys']],
		[
			'+/sensor/+/state',
			'jsonata',
			['porch/debug', 'porch/binary_sensor/door/state', 'porch/switch/fan/command', 'esphome/discover/porch'],
		],
		['v3/+/devices/+/up', 'the-things-stack', ['v3/a@t/devices/d/down/ack', 'v3/a@t/devices/d/service/data']],
		[
			'application/+/device/+/event/up',
			'chirpstack',
			['application/1/device/aa/event/ack', 'application/1/device/aa/command/down', 'eu868/gateway/bb/event/stats'],
		],
	])('are beside those that a rule for %s reads', (topic, use, published) => {
		for (const one of published) expect([one, sideOf(topic, use, one)]).toEqual([one, 'beside']);
	});

	it.each<[string, FormatName, string]>([
		['zigbee2mqtt/#', 'zigbee2mqtt', 'zigbee2mqtt/kitchen/temperature'],
		['zigbee2mqtt/#', 'zigbee2mqtt', 'zigbee2mqtt/bridge/logging'],
		['tele/#', 'tasmota', 'tele/th/STATE'],
	])('are within a rule for %s with # (%s): %s', (topic, use, published) => {
		expect(sideOf(topic, use, published)).toBe('within');
	});

	it.each<[string, FormatName, string]>([
		['zigbee2mqtt/+', 'zigbee2mqtt', 'zigbee2mqtt/kitchen'],
		['zigbee2mqtt/#', 'zigbee2mqtt', 'zigbee2mqtt/kitchen'],
		['tele/+/SENSOR', 'tasmota', 'tele/th/SENSOR'],
		['+/events/rpc', 'shelly', 'shellyht-1/events/rpc'],
		['v3/+/devices/+/up', 'the-things-stack', 'v3/a@t/devices/d/up'],
		['+/+', 'jsonata', 'acme/7'],
		['+/kitchen', 'zigbee2mqtt', 'other/kitchen/state'],
		['zigbee2mqtt/+', 'zigbee2mqtt', 'acme/kitchen/state'],
		['tele/+/SENSOR', 'tasmota', 'telemetry/b1/hall/th'],
		['+/sensor/+/state', 'jsonata', 'status/debug'],
	])('are none of the topics of readings, nor of others: rule %s (%s), topic %s', (topic, use, published) => {
		expect(sideOf(topic, use, published)).toBeUndefined();
	});
});
