import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecoderRule } from '../../src/decode/decoder-config.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../../src/testing/mqtt-clients.ts';
import { serialLine } from '../../src/testing/serial-line.ts';

const place = { defaults: { buildingId: 'b1', roomId: 'hall' } };
const rows =
	'($row := $split($, ","); {"sensorId": $name, "peopleIn": $number($row[0]), "peopleOut": $number($row[1])})';
const RULES: DecoderRule[] = [
	{ topic: 'zigbee2mqtt/+', use: 'zigbee2mqtt', ...place },
	{ topic: 'z2m-all/#', use: 'zigbee2mqtt', ...place },
	{ topic: 'tele/+/SENSOR', use: 'tasmota', ...place },
	{ topic: '+/events/rpc', use: 'shelly', ...place },
	{ topic: '+/sensor/+/state', use: 'jsonata', mapping: '{"sensorId": $levels[0], "temperature": $}', ...place },
	{ topic: 'acme/+/csv', use: 'jsonata', mapping: rows, ...place },
];

let world: GatewayWorld;
let client: MqttClient;
beforeAll(async () => {
	world = await openGatewayWorld({ settings: { decoders: RULES } });
	client = await mqtt.connectAsync(world.mqttUrl, { username: 'hub', password: await world.token('hub') });
});
afterAll(async () => {
	await client.endAsync(true);
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const chatter = () => world.metric('gateway_readings_ignored_total', { transport: 'mqtt', reason: 'chatter' });
const publish = (topic: string, payload: string, retain = false) =>
	client.publishAsync(topic, payload, { qos: 1, retain });
async function why(topic: string): Promise<{ verdict: string; text: string }> {
	const token = await world.account({ domainName: 'acme', role: 'business_staff' });
	const { body } = await world.call('GET', `/trace?topic=${encodeURIComponent(topic)}`, { token });
	return body as { verdict: string; text: string };
}

describe('P13 what a product says beside its readings', () => {
	it.each<[string, string, boolean?]>([
		['zigbee2mqtt/kitchen/temperature', '20.9'],
		['zigbee2mqtt/kitchen/state', 'OFF'],
		['zigbee2mqtt/kitchen/update', '{"state":"idle"}'],
		['zigbee2mqtt/kitchen', '', true],
		['zigbee2mqtt/kitchen/state', '', true],
		['zigbee2mqtt/bridge/info', '{"version":"2.7.1"}', true],
		['zigbee2mqtt/bridge/logging', '{"level":"info","message":"z2m: published"}'],
		['z2m-all/kitchen/temperature', '20.9'],
		['z2m-all/kitchen/state', 'OFF'],
		['z2m-all/bridge/devices', '[]', true],
		['z2m-all/kitchen', '', true],
		['homeassistant/sensor/0x01/temperature/config', '{"name":"Temperature"}', true],
		['tele/th/STATE', '{"Uptime":"0T00:00:10","Heap":25}'],
		['tele/th/INFO1', '{"Info1":{"Module":"Generic","Version":"14.2.0"}}'],
		['tele/th/UPTIME', '{"Time":"2026-11-30T12:00:00","Uptime":"1T00:00:00"}'],
		['stat/th/RESULT', '{"POWER":"ON"}'],
		['stat/th/POWER', 'ON'],
		['stat/th/LOGGING', '12:00:01.000 MQT: stat/th/POWER = ON'],
		['cmnd/th/POWER', 'TOGGLE'],
		['tele/th/LWT', ''],
		['shellyht-1/debug/log', 'shelly_sys.cpp:42 heap 130000'],
		['shellyht-1/status/wifi', '{"sta_ip":"10.0.0.7","rssi":-60}'],
		['shellyht-1/rpc', '{"id":1}'],
		['porch/debug', '\x1b[0;36m[D][sensor:094]: 21.0 C with 1 decimal\x1b[0m'],
		['porch/binary_sensor/door/state', 'ON'],
		['porch/switch/fan/command', 'ON'],
		['acme/7/csv', ''],
		['acme/7/unheard-of', '', true],
		['telemetry/b1/hall/old', '', true],
		['status/hub', '', true],
	])('is neither a reading, nor a fault, nor in the list: %s %j', async (topic, payload, retain = false) => {
		const [before, stored] = [await chatter(), world.log.nextOffset];
		await publish(topic, payload, retain);
		expect([await chatter(), world.log.nextOffset, await world.rejected()]).toEqual([before + 1, stored, []]);
		expect(await why(topic)).toMatchObject({
			verdict: 'no_reading',
			text: expect.stringContaining('it is what such a device says beside its readings'),
		});
	});

	it('does not hide readings and faults', async () => {
		await publish('zigbee2mqtt/kitchen', '{"temperature":20.9,"state":"OFF","linkquality":90}');
		await publish('tele/th/SENSOR', '{"AM2301":{"Temperature":21.0},"TempUnit":"C"}');
		await publish('porch/sensor/temp/state', '22.5');
		await publish('acme/7/csv', '3,2\r\n');
		expect((await world.stored()).map(({ sensorId, metric, value }) => `${sensorId} ${metric} ${value}`)).toEqual([
			'kitchen temperature 20.9',
			'th.AM2301 temperature 21',
			'porch temperature 22.5',
			expect.stringMatching(/^7 peopleCount /),
			expect.stringMatching(/^7 peopleCount /),
		]);
		const faults: [string, string, string][] = [
			['zigbee2mqtt/kitchen', 'torn {"temperature"', 'not_json'],
			['z2m-all/floor1/kitchen', '{"temperature":20', 'not_json'],
			['tele/th/SENSOR', '{"AM2301":{"Temper', 'not_json'],
			// Readings where the rule does not look: the name of this device has a slash.
			['zigbee2mqtt/floor1/kitchen', '{"temperature":20.9,"linkquality":90}', 'bad_request'],
			['acme/7/unheard-of', 'something', 'bad_request'],
			['telemetry/b1/hall/old', '', 'not_json'],
		];
		for (const [topic, payload] of faults) await publish(topic, payload);
		expect((await world.rejected()).reverse().map(({ source, code }) => [source, code])).toEqual(
			faults.map(([topic, , code]) => [topic, code]),
		);
		expect(await why('zigbee2mqtt/floor1/kitchen')).toMatchObject({
			verdict: 'unknown_topic',
			text: expect.stringContaining('widen the topic zigbee2mqtt/+ of its rule'),
		});
	});

	it('clears a retained state, and leaves the sensor as it is', async () => {
		const own = await mqttClient(world.mqttUrl, 'door', await world.token('door', { sensorIds: ['door'] }));
		await own.publishAsync('status/door', 'online', { qos: 1, retain: true });
		await own.publishAsync('status/door', '', { qos: 1, retain: true });
		const later = await mqttClient(world.mqttUrl, 'door', await world.token('door', { sensorIds: ['door'] }));
		const received = await messagesOn(later, 'status/door');
		await own.publishAsync('status/door', 'offline', { qos: 1 });
		await waitFor('a state', () => received.length > 0);
		expect(received.map(({ payload }) => payload)).toEqual(['offline']);
	});
});

describe('P13 the log of a device that shares its serial line with the readings', () => {
	it('is counted as chatter, and readings behind coloured prefixes are acknowledged', async () => {
		const line = await serialLine();
		const serial = [{ path: line.path, defaults: { sensorId: 'esp', buildingId: 'b1', roomId: 'hall' } }];
		const esp = await openGatewayWorld({ settings: { serial } });
		try {
			await line.send('\x1b[0;32mI (312) wifi: connected with office, channel 6\x1b[0m');
			await line.send(`\x1b[0;32mI (1234) app: ${JSON.stringify({ metric: 'peopleIn', value: 2, seq: 1 })}\x1b[0m`);
			await line.answered('ACK 1');
			await line.send(`[00:00:01.234,567] <inf> app: ${JSON.stringify({ metric: 'peopleIn', value: 1, seq: 2 })}`);
			await line.answered('ACK 2');
			expect((await esp.stored()).map(({ sensorId, value }) => [sensorId, value])).toEqual([
				['esp', 2],
				['esp', 3],
			]);
			expect(await esp.rejected()).toEqual([]);
			expect(await esp.metric('gateway_readings_ignored_total', { transport: 'serial', reason: 'chatter' })).toBe(1);
			expect(await esp.metric('gateway_ledger_imbalance')).toBe(0);
		} finally {
			await esp.stop();
		}
	});
});
