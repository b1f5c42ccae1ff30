import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../../src/configuration/gateway-file.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

let world: GatewayWorld;
let staff: string;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ topic: 'zigbee2mqtt/+', use: 'zigbee2mqtt', defaults: HALL },
				{ path: 'lorawan', use: 'chirpstack', defaults: HALL },
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

	it('leaves a message of which everything is read or no measure as it was', async () => {
		const before = await ignored();
		await publish('quiet', { temperature: 21, linkquality: 80, last_seen: Date.now(), update: { state: 'idle' } });
		expect(await ignored()).toBe(before);
		expect((await why('quiet')).text).not.toContain('no rule reads');
	});
});
