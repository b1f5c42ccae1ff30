import type { DeviceEvent } from '@crowdvision/contracts';
import { CHANNELS } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecoderRule } from '../decode/decoder-config.ts';
import { type GatewayWorld, openGatewayWorld } from '../testing/gateway-world.ts';
import { mqttClient } from '../testing/mqtt-clients.ts';
import { type SentMetric, sparkplugPayload } from '../testing/sparkplug-node.ts';

const DECODERS: DecoderRule[] = [
	{ topic: 'zigbee2mqtt/+', use: 'zigbee2mqtt', defaults: { buildingId: 'b1', roomId: 'hall' } },
	{ topic: 'tele/+/SENSOR', use: 'tasmota', defaults: { buildingId: 'b1', roomId: 'hall' } },
	{ topic: 'application/+/device/+/event/+', use: 'chirpstack', defaults: { buildingId: 'b1', roomId: 'hall' } },
	{ topic: 'eu868/gateway/+/state/conn', use: 'chirpstack' },
	{ topic: 'v3/+/devices/+/up', use: 'the-things-stack', defaults: { buildingId: 'b1', roomId: 'hall' } },
	{ topic: 'tts/events', use: 'the-things-stack' },
	{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: { buildingId: 'b1', roomId: 'hall' } },
	{
		topic: '+/sensor/+/state',
		use: 'jsonata',
		mapping: '{"sensorId": $levels[0] & "." & $levels[2], "temperature": $}',
		defaults: { buildingId: 'b1', roomId: 'hall' },
	},
];
const births = (metrics: SentMetric[] = []) => ({
	seq: 0,
	metrics: [{ name: 'bdSeq', datatype: 8, long: 1n }, ...metrics],
});

const EUI = '24e124fffe000002';
const chirpstackUplink = JSON.stringify({
	deviceInfo: { devEui: EUI },
	rxInfo: [{ gatewayId: 'roof' }],
	object: { temperature: 20 },
});
const thingsUplink = JSON.stringify({
	end_device_ids: { device_id: 'th' },
	uplink_message: {
		rx_metadata: [{ gateway_ids: { gateway_id: 'tower' } }],
		decoded_payload: { temperature: 20 },
	},
});
const gatewayEvent = (name: string) =>
	JSON.stringify({ name, identifiers: [{ gateway_ids: { gateway_id: 'tower' } }] });

describe('P13 right in meaning: the death of a device', () => {
	let world: GatewayWorld;
	let events: string[];
	let publish: (topic: string, payload: string | Buffer) => Promise<unknown>;
	beforeEach(async () => {
		world = await openGatewayWorld({ settings: { decoders: DECODERS } });
		events = [];
		await world.bus.listen(CHANNELS.devices, (message) => {
			const { sensorId, state } = JSON.parse(message) as DeviceEvent;
			events.push(`${sensorId} ${state}`);
		});
		const client = await mqttClient(world.mqttUrl, 'd1', await world.token('d1'));
		publish = (topic, payload) => client.publishAsync(topic, payload, { qos: 1 });
	});
	afterEach(() => world.stop());

	const tele = (value: number) => JSON.stringify({ AM2301: { Temperature: value }, DS18B20: { Temperature: value } });
	const sparkplug = (topic: string, payload: Parameters<typeof sparkplugPayload>[0]) =>
		publish(`spBv1.0/${topic}`, sparkplugPayload(payload));
	const co2: SentMetric[] = [{ name: 'co2', alias: 1, datatype: 3, int: 400 }];

	it.each<[string, () => Promise<unknown>, () => Promise<unknown>, () => Promise<unknown>, string[]]>([
		[
			'Zigbee2MQTT, as JSON',
			() => publish('zigbee2mqtt/porch', '{"temperature":20}'),
			() => publish('zigbee2mqtt/porch/availability', '{"state":"offline"}'),
			() => publish('zigbee2mqtt/porch/availability', '{"state":"online"}'),
			['porch'],
		],
		[
			'Zigbee2MQTT, as a word',
			() => publish('zigbee2mqtt/porch', '{"temperature":20}'),
			() => publish('zigbee2mqtt/porch/availability', 'offline'),
			() => publish('zigbee2mqtt/porch', '{"temperature":20.1}'),
			['porch'],
		],
		[
			'Zigbee2MQTT itself, with all its devices',
			async () => {
				await publish('zigbee2mqtt/porch', '{"temperature":20}');
				await publish('zigbee2mqtt/attic', '{"temperature":20}');
			},
			() => publish('zigbee2mqtt/bridge/state', '{"state":"offline"}'),
			() => publish('zigbee2mqtt/bridge/state', '{"state":"online"}'),
			['porch', 'attic'],
		],
		[
			'Tasmota, with all its probes',
			() => publish('tele/porch/SENSOR', tele(20)),
			() => publish('tele/porch/LWT', 'Offline'),
			() => publish('tele/porch/SENSOR', tele(21)),
			['porch.AM2301', 'porch.DS18B20'],
		],
		[
			'ESPHome',
			() => publish('living/sensor/temp/state', '20.5'),
			() => publish('living/status', 'offline'),
			() => publish('living/status', 'online'),
			['living.temp'],
		],
		[
			'the last ChirpStack gateway that received a device',
			() => publish(`application/1/device/${EUI}/event/up`, chirpstackUplink),
			() => publish('eu868/gateway/roof/state/conn', '{"gatewayId":"roof","state":"OFFLINE"}'),
			() => publish('eu868/gateway/roof/state/conn', '{"gatewayId":"roof","state":"ONLINE"}'),
			[EUI],
		],
		[
			'the last gateway of The Things Stack that received a device',
			() => publish('v3/app/devices/th/up', thingsUplink),
			() => publish('tts/events', gatewayEvent('gs.gateway.disconnect')),
			() => publish('v3/app/devices/th/up', thingsUplink),
			['th'],
		],
		[
			'a Sparkplug edge node, with its devices',
			async () => {
				await sparkplug('hq/NBIRTH/pi', births(co2));
				await sparkplug('hq/DBIRTH/pi/hall', { seq: 1, metrics: [{ name: 'temperature', alias: 2, double: 20 }] });
			},
			() => sparkplug('hq/NDEATH/pi', { metrics: [{ name: 'bdSeq', datatype: 8, long: 1n }] }),
			async () => {
				await sparkplug('hq/NBIRTH/pi', births(co2));
				await sparkplug('hq/DBIRTH/pi/hall', { seq: 1, metrics: [{ name: 'temperature', alias: 2, double: 20 }] });
			},
			['hq.pi', 'hq.pi.hall'],
		],
		[
			'a Sparkplug device',
			async () => {
				await sparkplug('hq/NBIRTH/pi', births());
				await sparkplug('hq/DBIRTH/pi/hall', { seq: 1, metrics: [{ name: 'temperature', alias: 2, double: 20 }] });
			},
			() => sparkplug('hq/DDEATH/pi/hall', { seq: 2 }),
			() => sparkplug('hq/DBIRTH/pi/hall', { seq: 3, metrics: [{ name: 'switch', alias: 2, int: 1 }] }),
			['hq.pi.hall'],
		],
	])(
		'%s: takes the sensors behind it offline at once, and its birth or a reading brings them back',
		async (_text, live, dies, returns, sensors) => {
			const heard = (state: string) => () => sensors.every((sensor) => events.includes(`${sensor} ${state}`));
			await live();
			await waitFor('the sensors to be online', heard('online'));
			await publish('zigbee2mqtt/other', '{"temperature":18}');
			events.length = 0;
			await dies();
			await waitFor('the sensors to be offline', heard('offline'));
			events.length = 0;
			await returns();
			await waitFor('the sensors to be online again', heard('online'));
			expect(await world.rejected()).toEqual([]);
			expect(events.filter((event) => event.endsWith('offline'))).toEqual([]);
		},
	);

	it('leaves the sensors of others alone, whatever a device publishes', async () => {
		await publish('tele/porch/SENSOR', tele(20));
		const other = await mqttClient(world.mqttUrl, 'd2', await world.token('d2'));
		await other.publishAsync('tele/porch/LWT', 'Offline', { qos: 1 });
		await publish('tele/porch/SENSOR', tele(21));
		expect(events.filter((event) => event.endsWith('offline'))).toEqual([]);
	});

	it('is what why says of the sensor', async () => {
		await publish('tele/porch/SENSOR', tele(20));
		await publish('tele/porch/LWT', 'Offline');
		const token = await world.account({ domainName: 'acme', role: 'business_staff' });
		const { body } = await world.call('GET', '/trace?sensor=porch.AM2301', { token });
		expect(body).toMatchObject({
			verdict: 'presence',
			text: expect.stringContaining('it says that what is below tele/porch is offline; porch.AM2301 is offline now'),
		});
	});
});
