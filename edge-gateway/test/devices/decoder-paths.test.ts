import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ path: 'counters', use: 'people-counter', defaults: HALL },
				{ path: 'lorawan', use: 'chirpstack', defaults: HALL },
				{ path: 'lpp', use: 'cayenne-lpp', defaults: HALL },
				{
					topic: 'plugs/+',
					use: 'zigbee2mqtt',
					rename: {
						device_temperature: { metric: 'temperature' },
						co2_percent: { metric: 'co2', scale: 10_000 },
						temp_f: { metric: 'temperature', unit: 'degF' },
						people: { metric: 'peopleCount', values: { none: 0, some: 1 } },
					},
					defaults: HALL,
				},
			],
		},
	});
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const storedOf = async (sensorId: string) =>
	(await world.stored()).filter((one) => one.sensorId === sensorId).map(({ metric, value }) => [metric, value]);
const post = async (path: string, body: unknown, headers: Record<string, string> = {}, sensorIds?: string[]) =>
	world.call('POST', path, {
		token: await world.token('webhook', sensorIds ? { sensorIds, buildingId: 'b1' } : undefined),
		body,
		headers: { 'content-type': 'application/json', ...headers },
	});

describe('POST /ingest/{path}', () => {
	it('has the body read by the rule of the path, whatever its content type', async () => {
		const push = (serial: string) => ({
			device_info: { device_sn: serial },
			line_periodic_data: [{ line: 1, total: { in: 4, out: 1 } }],
		});
		expect(await post('/ingest/counters', push('push-1'))).toMatchObject({ status: 202, body: { accepted: 2 } });
		expect(await post('/ingest/counters', push('push-2'), { 'content-type': 'text/plain' })).toMatchObject({
			status: 202,
		});
		expect(await storedOf('push-1.line_1')).toEqual([
			['peopleCount', 4],
			['peopleCount', 3],
		]);
		expect(await storedOf('push-2.line_1')).toHaveLength(2);
	});

	it("takes ChirpStack's HTTP integration, which names the event in the query", async () => {
		const body = { deviceInfo: { devEui: 'http-1' }, object: { people_count_all: 3 } };
		expect(await post('/ingest/lorawan?event=up', body)).toMatchObject({ body: { accepted: 1 } });
		expect(await post('/ingest/lorawan?event=join', body)).toMatchObject({ body: { accepted: 0 } });
		expect(await storedOf('http-1')).toEqual([['peopleCount', 3]]);
	});

	it("gives bytes that name no sensor to the token's only one", async () => {
		const sent = Buffer.from('01670110', 'hex');
		const answer = await post('/ingest/lpp', sent, { 'content-type': 'application/octet-stream' }, ['probe']);
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await storedOf('probe')).toEqual([['temperature', 27.2]]);
	});

	it('refuses a path without a rule with 404, naming the paths there are, and other methods with 405', async () => {
		expect(await post('/ingest/other', {})).toMatchObject({
			status: 404,
			body: { error: { code: 'not_found', message: expect.stringMatching(/"other"; .* counters, lorawan, lpp$/) } },
		});
		expect(await world.call('POST', '/ingest/other', { body: {} })).toMatchObject({ status: 401 });
		expect(await world.call('GET', '/ingest/counters')).toMatchObject({ status: 405 });
	});

	it('lets a refused message be replayed by the rule of its path', async () => {
		const narrow = await world.token('narrow', { sensorIds: ['mine'], buildingId: 'b1' });
		await world.call('POST', '/ingest/lorawan?event=up', {
			token: narrow,
			body: { deviceInfo: { devEui: 'foreign' }, object: { co2: 500 } },
		});
		expect(await refusedAs(world, 'forbidden', 'POST /ingest/lorawan?event=up')).toMatchObject({ sensorId: 'foreign' });
	});

	it.each([
		['gzip', gzipSync],
		['deflate', deflateSync],
	])('inflates a body of %s', async (encoding, compress) => {
		const body = compress(JSON.stringify({ deviceInfo: { devEui: `in-${encoding}` }, object: { co2: 512 } }));
		const answer = await post('/ingest/lorawan?event=up', body, { 'content-encoding': encoding });
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await storedOf(`in-${encoding}`)).toEqual([['co2', 512]]);
	});

	it('inflates a body of deflate without the framing of zlib, as some clients send it', async () => {
		const body = deflateRawSync(JSON.stringify({ sensorId: 'raw', ...HALL, metric: 'co2', value: 513 }));
		expect(await post('/ingest', body, { 'content-encoding': 'deflate' })).toMatchObject({ status: 202 });
		expect(await storedOf('raw')).toEqual([['co2', 513]]);
	});

	it.each([
		['larger than 1 MiB when inflated', gzipSync(Buffer.alloc(1024 * 1024 + 1, 32)), 413, 'too_large'],
		['that is not gzip', Buffer.from('{"co2":1}'), 400, 'bad_request'],
		['larger than 1 MiB when inflated', deflateSync(Buffer.alloc(1024 * 1024 + 1, 32)), 413, 'too_large', 'deflate'],
		['that is not deflate', Buffer.from('{"co2":1}'), 400, 'bad_request', 'deflate'],
	] as const)('refuses a body %s', async (_what, body, status, code, encoding: string = 'gzip') => {
		const answer = await post('/ingest', body, { 'content-encoding': encoding });
		expect(answer).toMatchObject({ status, body: { error: { code } } });
	});
});

describe('rename of a decoder rule', () => {
	it("reads a vendor's keys as the metrics it names, with scale, unit and numbers for texts", async () => {
		const client = await mqttClient(world.mqttUrl, 'plugs', await world.token('plugs'));
		const publish = (device: string, state: object) =>
			client.publishAsync(`plugs/${device}`, JSON.stringify(state), { qos: 1 });
		await publish('p-1', { device_temperature: 31.5, co2_percent: 0.0612, people: 'some', humidity: 40 });
		await publish('p-2', { temp_f: 212, people: 'unheard of' });
		expect(await storedOf('p-1')).toEqual([
			['temperature', 31.5],
			['co2', 612],
			['peopleCount', 1],
			['humidity', 40],
		]);
		expect(await storedOf('p-2')).toEqual([['temperature', 100]]);
	});
});
