import { TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { connect } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { why } from '../../src/control/why-command.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ topic: 'zigbee2mqtt/#', use: 'zigbee2mqtt', defaults: HALL },
				{ topic: 'tele/+/SENSOR', use: 'tasmota', defaults: HALL },
			],
		},
	});
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const publish = async (topic: string, payload: object) => {
	const client = await mqttClient(world.mqttUrl, 'names', await world.token('names'));
	await client.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
	await client.endAsync();
};
const staff = () => world.account({ domainName: 'acme', role: 'business_staff' });
const devices = async () =>
	(await world.call('GET', '/devices', { token: await staff() })).body as unknown as {
		devices: { id: string; trouble?: string }[];
		sensors: { sensorId: string; name?: string }[];
	};

describe('P13 names of devices', () => {
	it('beyond Latin stay apart, and are shown as they are', async () => {
		const names = ['书房', '厨房', 'Größe', 'Grüße'];
		for (const [at, name] of names.entries()) await publish(`zigbee2mqtt/${name}`, { temperature: 10 + at });
		const named = (await world.stored()).filter(({ sensorName }) => names.includes(sensorName ?? ''));
		expect(named.map(({ sensorName, value }) => [sensorName, value])).toEqual(names.map((name, at) => [name, 10 + at]));
		expect(new Set(named.map(({ sensorId }) => sensorId)).size).toBe(4);
		const shown = (await devices()).sensors.filter(({ name }) => name !== undefined && names.includes(name));
		expect(shown.map(({ name }) => name).sort()).toEqual([...names].sort());
	});

	it('of a Zigbee device behind Tasmota are shown, and its address is its id', async () => {
		const device = { Device: '0x6A11', Name: 'Archive', Temperature: 18.2, Humidity: 44, LinkQuality: 80 };
		await publish('tele/bridge/SENSOR', { ZbReceived: { '0x6A11': device } });
		const stored = (await world.stored()).filter(({ sensorId }) => sensorId === 'bridge.0x6A11');
		expect(stored.map(({ metric, sensorName }) => [metric, sensorName])).toEqual([
			['temperature', 'Archive'],
			['humidity', 'Archive'],
		]);
	});
});

describe('P14 ids of places that look alike', () => {
	const [composed, decomposed] = ['Küche', 'Ku\u0308che'];
	const building = (id: string, room: string) => {
		const rooms = [{ id: room, name: room, capacity: 10, generation: '2f' }];
		return world.bus.retain(TABLES.buildings, id, JSON.stringify({ id, name: id, domains: ['acme'], rooms }));
	};

	it('are one, whether a device writes them with composed or decomposed letters', async () => {
		await building('Café', composed);
		const token = await world.token('spelling', {});
		const client = await mqttClient(world.mqttUrl, 'spelling', token);
		const topic = `telemetry/Cafe\u0301/${decomposed}/speller`;
		const [one, two] = [1, 2].map((value) => ({ metric: 'noise', value: 30 + value, roomId: composed }));
		await client.publishAsync(topic, JSON.stringify(one), { qos: 1 });
		await client.publishAsync(topic, JSON.stringify({ ...two, roomId: decomposed }), { qos: 1 });
		await client.endAsync();
		const sent = { sensorId: 'speller', metric: 'noise', value: 33, buildingId: 'Cafe\u0301', roomId: decomposed };
		expect(await world.call('POST', '/ingest', { token, body: sent })).toMatchObject({ status: 202 });
		const stored = (await world.stored()).filter(({ sensorId }) => sensorId === 'speller');
		expect(stored).toMatchObject(
			[31, 32, 33].map((value) => ({ value, buildingId: 'Café', roomId: composed, generation: '2f' })),
		);
	});

	it('stay as they are written where an earlier version took them so', async () => {
		await building('Mu\u0308hle', decomposed);
		const token = await world.token('spelling', {});
		const sent = { sensorId: 'old', metric: 'noise', value: 40, buildingId: 'Mu\u0308hle', roomId: decomposed };
		expect(await world.call('POST', '/ingest', { token, body: sent })).toMatchObject({ status: 202 });
		expect((await world.stored()).find(({ sensorId }) => sensorId === 'old')).toMatchObject({
			buildingId: 'Mu\u0308hle',
			roomId: decomposed,
		});
	});
});

describe('P13 probes of one device', () => {
	it('are known by their own id when one fails and the others move up, also when one is left', async () => {
		const probe = (Id: string, Temperature: number) => ({ Id, Temperature });
		await publish('tele/boiler/SENSOR', {
			'DS18B20-1': probe('0316A1', 60),
			'DS18B20-2': probe('0316B2', 40),
			'DS18B20-3': probe('0316C3', 5),
			TempUnit: 'C',
		});
		await publish('tele/boiler/SENSOR', {
			'DS18B20-1': probe('0316B2', 41),
			'DS18B20-2': probe('0316C3', 6),
			TempUnit: 'C',
		});
		await publish('tele/boiler/SENSOR', { DS18B20: probe('0316C3', 7), TempUnit: 'C' });
		const valuesOf = async (id: string) =>
			(await world.stored()).filter(({ sensorId }) => sensorId === `boiler.DS18B20.${id}`).map(({ value }) => value);
		expect(await valuesOf('0316A1')).toEqual([60]);
		expect(await valuesOf('0316B2')).toEqual([40, 41]);
		expect(await valuesOf('0316C3')).toEqual([5, 6, 7]);
	});

	it('are known by an address as well, and the chip of the board is no sensor of the room', async () => {
		await publish('tele/attic/SENSOR', {
			'SHT4X-44': { Address: '0x44', Temperature: 21.5 },
			ESP32: { Temperature: 53 },
			TempUnit: 'C',
		});
		const stored = (await world.stored()).filter(({ sensorId }) => sensorId.startsWith('attic.'));
		expect(stored.map(({ sensorId, value }) => [sensorId, value])).toEqual([['attic.SHT4X.0x44', 21.5]]);
	});
});

describe('P13 two boards with one client id', () => {
	it('are named in metrics, in the list of devices and by `why`', async () => {
		const token = await world.token('twins', { sensorIds: ['twins'], buildingId: 'b1' });
		const options = { clientId: 'ESP8266', username: 'twins', password: token, reconnectPeriod: 20 };
		const boards = [connect(world.mqttUrl, options), connect(world.mqttUrl, options)];
		for (const board of boards) board.on('error', () => undefined);
		try {
			await new Promise<void>((resolve) => boards[0]!.once('connect', () => resolve()));
			await waitFor('the device to be in trouble', async () =>
				(await devices()).devices.some(({ id, trouble }) => id === 'twins' && trouble !== undefined),
			);
			const { trouble } = (await devices()).devices.find(({ id }) => id === 'twins')!;
			expect(trouble).toMatch(/use the same client id "ESP8266" as twins and end each other, \d+ times/);
			expect(await world.metric('gateway_mqtt_takeovers_total')).toBeGreaterThanOrEqual(3);
			expect(await why(world.dataDir, ['twins'])).toContain('give each board a client id and a token of its own');
		} finally {
			await Promise.all(boards.map((board) => board.endAsync(true)));
		}
	});
});
