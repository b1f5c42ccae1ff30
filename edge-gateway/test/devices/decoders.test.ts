import { waitFor } from '@crowdvision/testing/wait';
import { encode } from 'cborg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { commandIn, sparkplugPayload } from '../../src/testing/sparkplug-node.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ topic: 'zigbee2mqtt/#', use: 'zigbee2mqtt', defaults: { buildingId: 'b1', roomId: 'hall' } },
				{ topic: 'tele/+/SENSOR', use: 'tasmota' },
				{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: { roomId: 'plant' } },
				{ topic: 'telemetry/+/+/senml', use: 'senml' },
				{
					topic: 'acme/+/uplink',
					use: 'jsonata',
					mapping: '{"sensorId": $name, "metric": "peopleCount", "value": n, "roomId": "hall", "seq": seq}',
				},
				{
					contentType: 'application/vnd.acme+json',
					use: 'jsonata',
					mapping: 'n >= 0 ? {"metric": "co2", "value": n}',
					defaults: { roomId: 'lab' },
				},
			],
		},
	});
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);
/** A client that may speak for all sensors of building b1. */
async function connect(id: string) {
	return mqttClient(world.mqttUrl, id, await world.token(id));
}

describe('an MQTT topic that a decoder rule matches', () => {
	it("accepts messages of any device and turns them into readings in the rule's room", async () => {
		const client = await connect('z2m');
		await client.publishAsync(
			'zigbee2mqtt/hall_climate',
			JSON.stringify({ temperature: 27.34, humidity: 44.72, linkquality: 90 }),
			{ qos: 1 },
		);
		expect(await storedOf('hall_climate')).toMatchObject([
			{ metric: 'temperature', value: 27.34, unit: 'degC', buildingId: 'b1', roomId: 'hall', transport: 'mqtt' },
			{ metric: 'humidity', value: 44.72 },
		]);
	});

	it('leaves a registered sensor in its room', async () => {
		const client = await connect('z2m-2');
		await client.publishAsync('zigbee2mqtt/registered', JSON.stringify({ temperature: 1 }), { qos: 1 });
		expect(await storedOf('registered')).toMatchObject([{ buildingId: 'b1', roomId: 'hall' }]);
	});

	it('acknowledges and counts a message without a reading', async () => {
		const client = await connect('z2m-3');
		const ignored = () => world.metric('gateway_readings_ignored_total', { transport: 'mqtt' });
		const before = await ignored();
		await client.publishAsync('zigbee2mqtt/bridge/state', '{"state":"online"}', { qos: 1 });
		await client.publishAsync('zigbee2mqtt/door', '{"contact":true}', { qos: 1 });
		expect(await ignored()).toBe(before + 2);
		expect(await world.metric('gateway_readings_ignored_total', { reason: 'unknown_field' })).toBeGreaterThanOrEqual(1);
	});

	it("refuses a reading outside the sender's scope", async () => {
		const token = await world.token('narrow', { sensorIds: ['mine'] });
		const client = await mqttClient(world.mqttUrl, 'narrow', token);
		await client.publishAsync('zigbee2mqtt/yours', '{"temperature":1}', { qos: 1 });
		expect(await refusedAs(world, 'forbidden', 'zigbee2mqtt/yours')).toMatchObject({ sender: 'narrow' });
		expect(await storedOf('yours')).toEqual([]);
	});

	it('refuses a sensor without a room as unknown', async () => {
		const client = await connect('tasmota');
		await client.publishAsync('tele/TH16/SENSOR', '{"AM2301":{"Temperature":24.6},"TempUnit":"C"}', { qos: 1 });
		expect(await refusedAs(world, 'unknown_sensor', 'tele/TH16/SENSOR')).toMatchObject({ path: '/roomId' });
	});

	it('refuses a malformed message with the reason', async () => {
		const client = await connect('spb-garbage');
		await client.publishAsync('spBv1.0/hq/NDATA/n9', Buffer.from([0x12, 0xff]), { qos: 1 });
		expect((await refusedAs(world, 'not_decoded', 'spBv1.0/hq/NDATA/n9')).message).toMatch(
			/^The payload is not a Sparkplug B payload: /,
		);
	});

	it('may lie below telemetry/, whose levels name building and room', async () => {
		const client = await connect('senml-1');
		await client.publishAsync('telemetry/b1/attic/senml', JSON.stringify([{ n: 'temperature', u: 'K', v: 300 }]), {
			qos: 1,
		});
		expect(await storedOf('senml')).toMatchObject([{ metric: 'temperature', value: 26.85, roomId: 'attic' }]);
	});
});

describe('a JSONata rule', () => {
	it('turns any JSON into readings, and recognizes redeliveries', async () => {
		const client = await connect('acme');
		for (const seq of [1, 2, 2])
			await client.publishAsync('acme/door-7/uplink', JSON.stringify({ n: seq * 10, seq }), { qos: 1 });
		expect((await storedOf('door-7')).map(({ value }) => value)).toEqual([10, 20]);
	});

	it('keeps the order of a sender, also relative to messages without a mapping', async () => {
		const client = await rawSignedIn(world, 'ordered', await world.token('ordered'));
		const publish = (messageId: number, topic: string, payload: object) =>
			client.send({
				cmd: 'publish',
				topic,
				payload: JSON.stringify(payload),
				qos: 1,
				messageId,
				dup: false,
				retain: false,
			});
		for (let i = 0; i < 40; i++) {
			if (i % 3 === 0) publish(i + 1, 'telemetry/b1/hall/ordered-1', { metric: 'peopleCount', value: i });
			else publish(i + 1, 'acme/ordered-1/uplink', { n: i });
		}
		const acknowledged: number[] = [];
		while (acknowledged.length < 40) acknowledged.push((await client.next('puback')).messageId!);
		expect((await storedOf('ordered-1')).map(({ value }) => value)).toEqual(Array.from({ length: 40 }, (_, i) => i));
		expect([...acknowledged].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
	});

	it('has a message refused that is no JSON or that it maps to an invalid reading', async () => {
		const client = await connect('acme-2');
		await client.publishAsync('acme/door-8/uplink', '{', { qos: 1 });
		expect(await refusedAs(world, 'not_json', 'acme/door-8/uplink')).toBeDefined();
		await client.publishAsync('acme/door-9/uplink', '{"n":"many"}', { qos: 1 });
		expect(await refusedAs(world, 'invalid_reading', 'acme/door-9/uplink')).toMatchObject({ path: '/value' });
	});
});

describe('a Sparkplug B rule', () => {
	it('resolves aliases, and requests a rebirth after a gap in the sequence', async () => {
		const node = await connect('pi-1');
		const commands: [string, boolean][] = [];
		node.on('message', (_topic, payload) => commands.push(...commandIn(payload)));
		await node.subscribeAsync('spBv1.0/hq/NCMD/pi-1', { qos: 1 });
		const publish = (type: string, payload: Parameters<typeof sparkplugPayload>[0]) =>
			node.publishAsync(`spBv1.0/hq/${type}`, sparkplugPayload(payload), { qos: 1 });
		await publish('NBIRTH/pi-1', { seq: 0, metrics: [{ name: 'bdSeq', long: 1n }] });
		await publish('DBIRTH/pi-1/press', {
			seq: 1,
			metrics: [{ name: 'temperature', alias: 1, datatype: 10, double: 20 }],
		});
		await publish('DDATA/pi-1/press', { seq: 2, metrics: [{ alias: 1, double: 21 }] });
		expect(commands).toEqual([]);
		await publish('DDATA/pi-1/press', { seq: 4, metrics: [{ alias: 1, double: 22 }] });
		expect((await storedOf('hq.pi-1.press')).map(({ value, roomId }) => [value, roomId])).toEqual([
			[20, 'plant'],
			[21, 'plant'],
			[22, 'plant'],
		]);
		await waitFor('the command', () => commands.length > 0);
		expect(commands).toEqual([['Node Control/Rebirth', true]]);
	});

	it('lets no device send a command to another', async () => {
		const node = await connect('pi-2');
		const received = await messagesOn(node, 'spBv1.0/hq/NCMD/pi-2');
		const other = await connect('pi-3');
		await other.publishAsync(
			'spBv1.0/hq/NCMD/pi-2',
			sparkplugPayload({ metrics: [{ name: 'Node Control/Rebirth', boolean: true }] }),
			{ qos: 1 },
		);
		await refusedAs(world, 'invalid_reading', 'spBv1.0/hq/NCMD/pi-2');
		// A message published later has arrived, so one published before it would have arrived too.
		await node.publishAsync('spBv1.0/hq/NDATA/pi-2', sparkplugPayload({ seq: 1, metrics: [{ alias: 9 }] }), { qos: 1 });
		await waitFor('the request for a birth', () => received.length > 0);
		expect(received).toHaveLength(1);
		const narrow = await mqttClient(world.mqttUrl, 'pi-4', await world.token('pi-4', { sensorIds: ['hq.pi-4.press'] }));
		await narrow.subscribeAsync('spBv1.0/hq/NCMD/pi-4', { qos: 1 });
		await expect(narrow.subscribeAsync('spBv1.0/hq/NCMD/pi-2', { qos: 1 })).rejects.toThrow();
		await expect(narrow.subscribeAsync('spBv1.0/hq/NDATA/pi-2', { qos: 1 })).rejects.toThrow();
	});
});

describe('POST /ingest', () => {
	const post = async (contentType: string, body: unknown, sensorIds?: string[]) =>
		world.call('POST', '/ingest', {
			token: await world.token('poster', sensorIds ? { sensorIds, buildingId: 'b1' } : undefined),
			body,
			headers: { 'content-type': contentType },
		});

	it('accepts SenML as JSON and as CBOR without a rule', async () => {
		const pack = [
			{ bn: 'th-1:', n: 'temperature', u: 'Cel', v: 21 },
			{ n: 'humidity', u: '%RH', v: 40 },
		];
		expect(await post('application/senml+json', pack)).toMatchObject({
			status: 422,
			body: { error: { code: 'unknown_sensor', index: 0 } },
		});
		const registered = [{ bn: 'registered:', n: 'noise', u: 'dB', v: 40 }];
		expect(await post('application/senml+json; charset=utf-8', registered)).toMatchObject({
			status: 202,
			body: { accepted: 1 },
		});
		const cbor = encode([
			new Map<number, unknown>([
				[0, 'registered:noise'],
				[1, 'dB'],
				[2, 41],
			]),
		]);
		expect(await post('application/senml+cbor', cbor)).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect((await storedOf('registered')).filter(({ metric }) => metric === 'noise').map(({ value }) => value)).toEqual(
			[40, 41],
		);
	});

	it('maps a content type that has a rule, and accepts no reading from a message that maps to nothing', async () => {
		expect(await post('application/vnd.acme+json', { n: 415 }, ['lab-1'])).toMatchObject({
			status: 202,
			body: { accepted: 1 },
		});
		expect(await storedOf('lab-1')).toMatchObject([{ metric: 'co2', value: 415, roomId: 'lab' }]);
		expect(await post('application/vnd.acme+json', { n: -1 }, ['lab-1'])).toMatchObject({
			status: 202,
			body: { accepted: 0 },
		});
	});

	it.each<[string, unknown, number, string]>([
		['application/senml+json', '{', 400, 'not_json'],
		['application/senml+json', {}, 400, 'not_decoded'],
		['application/senml+cbor', Buffer.from([0x9f]), 400, 'not_decoded'],
		['application/senml+json', [{ n: 'a', u: 'Cel', v: 'warm' }], 422, 'invalid_reading'],
		['application/vnd.other+json', {}, 415, 'unsupported_media_type'],
	])('refuses %s with the body %o with status %i', async (contentType, body, status, code) => {
		const answer = await post(contentType, body);
		expect(answer).toMatchObject({ status, body: { error: { code } } });
		if (status === 415) expect(answer.body.error!.message).toContain('application/senml+cbor');
	});
});
