import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../../src/configuration/gateway-file.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { sparkplugPayload } from '../../src/testing/sparkplug-node.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

let world: GatewayWorld;
let staff: string;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ topic: 'zigbee2mqtt/+', use: 'zigbee2mqtt', defaults: HALL },
				{ path: 'lorawan', use: 'chirpstack', defaults: HALL },
				{ path: 'counter', use: 'people-counter', defaults: HALL },
				{ path: 'other-counter', use: 'people-counter', defaults: HALL },
				{ contentType: 'application/senml+json', use: 'senml', defaults: HALL },
				{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: HALL },
			],
		},
	});
	staff = await world.account({ domainName: 'acme', role: 'business_staff' });
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const publish = async (device: string, state: object) => {
	const client = await mqttClient(world.mqttUrl, device, await world.token(device));
	await client.publishAsync(`zigbee2mqtt/${device}`, JSON.stringify(state), { qos: 1 });
	await client.endAsync();
};
const ignored = () => world.metric('gateway_readings_ignored_total', { reason: 'unknown_field' });
const why = async (sensor: string) => {
	const { body } = await world.call('GET', `/trace?sensor=${sensor}`, { token: staff });
	return body as { verdict: string; text: string; hint: string };
};
/** The rule that an answer proposes, as the gateway reads it. */
const pasted = (hint: string) => parseGatewayFile('pasted', hint.slice(hint.search(/^(metrics|decoders):/m)));

describe('P13 a message with keys that no rule reads', () => {
	it('is counted as unknown_field, and `why` names the keys and a rule to paste', async () => {
		await publish('door', { contact: true, voltage: 3005, linkquality: 80 });
		expect(await ignored()).toBe(1);
		const { verdict, text, hint } = await why('door');
		expect(verdict).toBe('unknown_field');
		expect(text).toContain('under keys that no rule reads: contact (true), voltage (3005)');
		expect(pasted(hint)).toEqual({
			metrics: [
				{ key: 'contact', unit: '', min: 0, max: 1, kind: 'state', name: { en: 'Contact' } },
				{ key: 'voltage', unit: 'V', min: 0, max: 1_000_000, kind: 'gauge', name: { en: 'Voltage' } },
			],
			decoders: [
				{
					topic: 'zigbee2mqtt/+',
					use: 'zigbee2mqtt',
					defaults: HALL,
					rename: {
						contact: { metric: 'contact', values: { true: 1, false: 0 } },
						voltage: { metric: 'voltage', unit: 'mV' },
					},
				},
			],
		});
	});

	it('is counted as well, and explained, when other keys of it are read and stored', async () => {
		const before = await ignored();
		await publish('meter', { temperature: 21, power: 12 });
		expect(await ignored()).toBe(before + 1);
		const { verdict, text, hint } = await why('meter');
		expect(verdict).not.toBe('unknown_field');
		expect(text).toMatch(/^temperature 21 degC, .*under keys that no rule reads: power \(12\)$/);
		expect(pasted(hint).decoders).toMatchObject([{ rename: { power: { metric: 'power' } } }]);
	});

	it('is found by a name that only its payload holds', async () => {
		const body = { deviceInfo: { devEui: 'a84041ff' }, data: 'A2cBEA==' };
		const answer = await world.call('POST', '/ingest/lorawan?event=up', { token: await world.token('lora'), body });
		expect(answer).toMatchObject({ status: 202, body: { accepted: 0 } });
		const { verdict, text, hint } = await why('a84041ff');
		expect(verdict).toBe('unknown_field');
		expect(text).toContain('bytes that the network server has not decoded');
		expect(hint).toContain('use: codec');
	});

	it('is explained in Sparkplug, by the name of the metric, with the unit that the node names', async () => {
		const client = await mqttClient(world.mqttUrl, 'plant', await world.token('plant'));
		const metrics = [
			{ name: 'Tank/Level', double: 1.2, properties: { engUnit: 'm' } },
			{ name: 'Air/temperature', double: 20 },
			{ name: 'CPU/temperature', double: 61 },
		];
		const before = await ignored();
		await client.publishAsync('spBv1.0/hq/DDATA/pi/tank', sparkplugPayload({ seq: 1, metrics }), { qos: 1 });
		await client.endAsync();
		expect(await ignored()).toBe(before + 1);
		const { text, hint } = await why('hq.pi.tank.Air');
		expect(text).toMatch(/under keys that no rule reads: Level \(1\.2 m\)$/);
		expect(pasted(hint)).toMatchObject({
			metrics: [{ key: 'level', unit: 'm' }],
			decoders: [{ topic: 'spBv1.0/#', use: 'sparkplug-b', rename: { Level: { metric: 'level' } } }],
		});
	});

	it('is explained in SenML, by the last part of the name', async () => {
		const body = JSON.stringify([
			{ bn: 'urn:dev:meter:', n: 'co2', u: 'ppm', v: 612 },
			{ n: 'energy', u: 'J', v: 5200 },
		]);
		const headers = { 'content-type': 'application/senml+json' };
		const answer = await world.call('POST', '/ingest', { token: await world.token('meter'), body, headers });
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		const { text, hint } = await why('urn:dev:meter');
		expect(text).toContain('under keys that no rule reads: energy (5200 J)');
		expect(pasted(hint).decoders).toMatchObject([
			{ use: 'senml', rename: { energy: { metric: 'energy', unit: 'J' } } },
		]);
	});

	it('is explained in the push of a people counter, of a known maker and of another', async () => {
		const token = await world.token('door-counter');
		const logics = [{ id: 1, info: 'XLT_LINE_BIKE_COUNT', records: [{ counts: [{ name: 'fw', value: 2 }] }] }];
		const known = { logics_data: { sensor_info: { serial_number: 'door-counter' }, logics } };
		expect(await world.call('POST', '/ingest/counter', { token, body: known })).toMatchObject({ status: 202 });
		const bikes = await why('door-counter');
		expect(bikes.verdict).toBe('unknown_field');
		expect(bikes.text).toContain('XLT_LINE_BIKE_COUNT/fw (2)');
		expect(pasted(bikes.hint).decoders).toMatchObject([
			{ use: 'people-counter', rename: { 'XLT_LINE_BIKE_COUNT/fw': { metric: 'xltLINEBIKECOUNTFw' } } },
		]);
		const other = { body: { lanes: [{ in: 3, out: 1 }] }, token: await world.token('lane-counter') };
		expect(await world.call('POST', '/ingest/other-counter', other)).toMatchObject({ status: 202 });
		const lanes = await why('lane-counter');
		expect(lanes).toMatchObject({ verdict: 'unknown_field', text: expect.stringContaining('lanes.in (3)') });
		expect(pasted(lanes.hint).decoders).toMatchObject([{ path: 'other-counter', use: 'jsonata' }]);
	});

	it('is explained in the own short form: a key that is no metric is never dropped in silence', async () => {
		const body = { sensorId: 'own-1', ...HALL, temperature: 21, humidty: 44, voltage: 3.1, rssi: -70 };
		const before = await ignored();
		const answer = await world.call('POST', '/ingest', { token: await world.token('own'), body });
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await ignored()).toBe(before + 1);
		const { text, hint } = await why('own-1');
		expect(text).toContain('under keys that no rule reads: humidty (44), voltage (3.1)');
		expect(hint).toContain('If a key is misspelt, correct the device');
		expect(pasted(hint)).toMatchObject({ metrics: [{ key: 'humidty' }, { key: 'voltage', unit: 'V' }] });
	});

	it('leaves a message of which everything is read or no measure as it was', async () => {
		const before = await ignored();
		await publish('quiet', { temperature: 21, linkquality: 80, last_seen: Date.now(), update: { state: 'idle' } });
		expect(await ignored()).toBe(before);
		expect((await why('quiet')).text).not.toContain('no rule reads');
	});
});
