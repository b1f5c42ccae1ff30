import { type CustomMetric, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../../src/testing/mqtt-clients.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };
const METRICS: CustomMetric[] = [
	{ key: 'voltage', unit: 'V', min: 0, max: 400, decimals: 2, name: { en: 'Voltage', it: 'Tensione' } },
	{ key: 'contact', unit: '', min: 0, max: 1, kind: 'state', name: { en: 'Door' } },
	{ key: 'power', unit: 'W', min: 0, max: 10_000 },
	{ key: 'presses', unit: '', min: 0, max: 100, kind: 'flow' },
];

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			metrics: METRICS,
			homeAssistant: { enabled: true, user: 'ha' },
			decoders: [
				{
					topic: 'zigbee2mqtt/+',
					use: 'zigbee2mqtt',
					rename: {
						voltage: { metric: 'voltage', unit: 'mV' },
						contact: { metric: 'contact', values: { true: 0, false: 1 } },
					},
					defaults: HALL,
				},
				{ topic: 'tele/+/SENSOR', use: 'tasmota', rename: { Power: { metric: 'power' } }, defaults: HALL },
				{ topic: 'v3/+/devices/+/up', use: 'the-things-stack', defaults: HALL },
				{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: HALL },
				{ topic: 'senml/+', use: 'senml', defaults: HALL },
				{ topic: 'acme/+', use: 'jsonata', mapping: '{"sensorId": $name, "power": w}', defaults: HALL },
			],
		},
	});
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const storedOf = async (sensorId: string) =>
	(await world.stored())
		.filter((one) => one.sensorId === sensorId)
		.map(({ metric, value, unit }) => `${metric} ${value}${unit && ` ${unit}`}`);
async function publish(id: string, topic: string, payload: unknown): Promise<void> {
	const client = await mqttClient(world.mqttUrl, id, await world.token(id));
	await client.publishAsync(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), { qos: 1 });
	await client.endAsync();
}
const post = async (body: unknown) => world.call('POST', '/ingest', { token: await world.token('poster'), body });

describe('P13 a metric that gateway.yaml defines', () => {
	it.each<[what: string, topic: string, payload: unknown, sensor: string, expected: string[]]>([
		['by rename, in the unit of the vendor', 'zigbee2mqtt/plug-1', { voltage: 3005 }, 'plug-1', ['voltage 3.005 V']],
		['by rename, from a boolean', 'zigbee2mqtt/door-1', { contact: false }, 'door-1', ['contact 1']],
		[
			'by rename in a nested message',
			'tele/plug-2/SENSOR',
			{ ENERGY: { Power: 41, Voltage: 231 } },
			'plug-2.ENERGY',
			['power 41 W'],
		],
		['under its own name, in its own unit', 'zigbee2mqtt/plug-3', { power: 12.5 }, 'plug-3', ['power 12.5 W']],
		[
			'in a decoded LoRaWAN payload that names the unit',
			'v3/app/devices/dl-1/up',
			{
				end_device_ids: { device_id: 'dl-1' },
				uplink_message: { decoded_payload: { voltage: { value: 2888, unit: 'mV' }, power: { value: 2, unit: 'kW' } } },
			},
			'dl-1',
			['voltage 2.888 V', 'power 2000 W'],
		],
		['in SenML', 'senml/x', [{ n: 'node-1:voltage', u: 'V', v: 12.1 }], 'node-1', ['voltage 12.1 V']],
		['in a mapping', 'acme/press-1', { w: 900 }, 'press-1', ['power 900 W']],
		['on a topic that names it', 'telemetry/b1/hall/meter-1/power', '77', 'meter-1', ['power 77 W']],
	])('is read %s', async (_what, topic, payload, sensor, expected) => {
		await publish(`by-${sensor}`, topic, payload);
		expect(await storedOf(sensor)).toEqual(expected);
	});

	it('is taken over HTTP, in the short form and in full, with another prefix of its unit', async () => {
		expect(await post({ sensorId: 'h-1', ...HALL, voltage: 11.9, presses: 3 })).toMatchObject({ status: 202 });
		expect(await post({ sensorId: 'h-1', ...HALL, metric: 'power', value: 1.5, unit: 'kW' })).toMatchObject({
			status: 202,
		});
		// A flow that is no door's changes no count of people.
		expect(await storedOf('h-1')).toEqual(['voltage 11.9 V', 'presses 3', 'power 1500 W']);
	});

	it.each([
		[{ metric: 'voltage', value: 401 }, '/value', 'must be from 0 to 400 V'],
		[{ metric: 'voltage', value: 1, unit: 'ppm' }, '/unit', 'must be one of V, '],
		[{ metric: 'current', value: 1 }, '/metric', 'must be a key of the metric catalog'],
		[{ metric: 'constructor', value: 1 }, '/metric', 'must be a key of the metric catalog'],
	])('has its limits: %j is refused', async (reading, path, message) => {
		const { status, body } = await post({ sensorId: 'h-2', ...HALL, ...reading });
		expect(status).toBe(422);
		expect(body.error).toMatchObject({ code: 'invalid_reading', path });
		expect(body.error!.message).toContain(message);
	});

	it('is announced to the services, and to Home Assistant with its class', async () => {
		const ha = await mqttClient(world.mqttUrl, 'ha', await world.token('ha', { sensorIds: ['none'] }));
		const messages = await messagesOn(ha, 'homeassistant/#');
		await post({ sensorId: 'ha-1', ...HALL, metric: 'power', value: 5 });
		const topic = 'homeassistant/sensor/crowdvision_test_ha-1_power/config';
		const config = await waitFor('the discovery', () => messages.findLast((message) => message.topic === topic));
		expect(JSON.parse(config.payload)).toMatchObject({
			name: 'power',
			device_class: 'power',
			unit_of_measurement: 'W',
			suggested_display_precision: 1,
		});
		const table = new Map<string, string | null>();
		const watch = await world.bus.watch(TABLES.metrics, (key, value) => void table.set(key, value));
		expect([...table.keys()].sort()).toEqual(['contact', 'power', 'presses', 'voltage']);
		await watch.close();
	});
});
