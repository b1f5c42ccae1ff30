import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { sendReadings, sensorSocket } from '../../src/testing/socketio-client.ts';
import { sparkplugPayload } from '../../src/testing/sparkplug-node.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({
		settings: {
			decoders: [
				{ topic: 'zigbee2mqtt/#', use: 'zigbee2mqtt', defaults: HALL },
				{ topic: 'tele/+/SENSOR', use: 'tasmota', defaults: HALL },
				{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: HALL },
				{ path: 'porch', use: 'zigbee2mqtt', defaults: { ...HALL, sensorId: 'porch-http' } },
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
const post = async (body: unknown, path = '/ingest', headers = {}) =>
	world.call('POST', path, { token: await world.token('poster'), body, headers });
const publish = async (topic: string, payload: unknown) => {
	const client = await mqttClient(world.mqttUrl, 'field', await world.token('field'));
	const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
	await client.publishAsync(topic, bytes, { qos: 1 });
	await client.endAsync();
};
const refusalsOf = async (name: string) =>
	(await world.rejected()).filter(({ sensorId, source }) => sensorId === name || source.split('/').includes(name));
const why = async (sensor: string) => {
	const token = await world.account({ domainName: 'acme', role: 'business_staff' });
	return (await world.call('GET', `/trace?sensor=${sensor}`, { token })).body as {
		verdict: string;
		text: string;
		hint: string;
		messages: { verdict: string; text: string }[];
	};
};

describe('P13 one bad member of a message', () => {
	it('over MQTT costs itself only, and is listed with metric, value and limit', async () => {
		await publish('zigbee2mqtt/shed', { battery: 130, humidity: 51.2, linkquality: 80, temperature: 18.4 });
		expect(await storedOf('shed')).toEqual([
			['temperature', 18.4],
			['humidity', 51.2],
		]);
		const [refusal, ...others] = await refusalsOf('shed');
		expect(others).toEqual([]);
		expect(refusal).toMatchObject({ code: 'invalid_reading', path: '/battery', sensorId: 'shed', taken: 2 });
		expect(refusal!.message).toBe('reading 0: /battery must be from 0 to 100 %, not 130 (battery of shed)');
	});

	it('is the newest thing that `why` says of the sensor, with what was taken', async () => {
		await publish('zigbee2mqtt/why-1', { battery: 130, humidity: 51.2, temperature: 18.4 });
		const { verdict, text, hint } = await why('why-1');
		expect(verdict).toBe('invalid_reading');
		expect(text).toContain('refused in part (2 readings of it are stored)');
		expect(text).toContain('/battery must be from 0 to 100 %, not 130');
		expect(hint).toContain('Other figures of the same message need nothing');
	});

	it('over HTTP is in the answer, beside the number of what was taken', async () => {
		const short = { sensorId: 'dht-1', ...HALL, temperature: 700, humidity: 48.5, peopleIn: 2 };
		const { status, body } = await post(short);
		expect(status).toBe(202);
		expect(body).toEqual({
			accepted: 2,
			rejected: [
				{
					index: 0,
					path: '/temperature',
					code: 'invalid_reading',
					message: 'reading 0: /temperature must be from -60 to 125 degC, not 700 (temperature of dht-1)',
				},
			],
		});
		expect((await storedOf('dht-1')).map(([metric]) => metric).sort()).toEqual(['humidity', 'peopleCount']);
		const { body: vendor } = await post({ battery: 'full', temperature: 20.5 }, '/ingest/porch');
		expect(vendor).toMatchObject({ accepted: 1, rejected: [{ path: '/battery', code: 'invalid_reading' }] });
	});

	it('over Socket.IO is in the answer, beside the number of what was taken', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('io') });
		const answer = await sendReadings(socket, { sensorId: 'io-1', ...HALL, co2: -4, noise: 41 });
		expect(answer).toMatchObject({ ok: true, accepted: 1, rejected: [{ index: 0, path: '/co2' }] });
	});

	it('is refused with 422 and each reason where nothing else is sound', async () => {
		const { status, body } = await post({ sensorId: 'dht-2', ...HALL, temperature: 700, humidity: 130 });
		expect(status).toBe(422);
		expect(body.error).toMatchObject({ code: 'invalid_reading', path: '/temperature' });
		expect(body.error).toMatchObject({ rejected: [{ path: '/temperature' }, { path: '/humidity' }] });
	});

	it('keeps the record beside it in SenML, with its index', async () => {
		const pack = [
			{ bn: 'registered:', n: 'temperature', u: 'Cel', v: 20 },
			{ n: 'humidity', u: '%RH', v: 300 },
			{ n: 'co2', u: 'ppm', v: null },
			{ n: 'battery', u: '%EL', t: 'noon', v: 80 },
		];
		const { status, body } = await post(JSON.stringify(pack), '/ingest', { 'content-type': 'application/senml+json' });
		expect(status).toBe(202);
		expect(body).toMatchObject({
			accepted: 1,
			rejected: [
				{ index: 1, path: '/v', message: 'reading 1: /v must be from 0 to 100 %, not 300 (humidity of registered)' },
				{ index: 3, path: '/t' },
			],
		});
	});

	it('keeps the metrics beside one of an unknown unit in Sparkplug, and reads engUnit as people write it', async () => {
		const metrics = [
			{ name: 'Air/temperature', double: 21.5, properties: { engUnit: '\u2103' } },
			{ name: 'Air/humidity', double: 44, properties: { engUnit: '%rh' } },
			{ name: 'Air/pressure', double: 29.9, properties: { engUnit: 'furlong' } },
			{ name: 'Air/co2', double: 640, properties: { engUnit: 'PPM' } },
			{ name: 'Air/illuminance', string: '310 Lux' },
			{ name: 'Attic/temperature', double: 68, properties: { engUnit: '\u00b0f' } },
		];
		await publish('spBv1.0/hq/DDATA/pi/units', sparkplugPayload({ seq: 1, metrics }));
		expect(await storedOf('hq.pi.units.Air')).toEqual([
			['temperature', 21.5],
			['humidity', 44],
			['co2', 640],
			['illuminance', 310],
		]);
		expect(await storedOf('hq.pi.units.Attic')).toEqual([['temperature', 20]]);
		const refusals = await refusalsOf('hq.pi.units.Air');
		expect(refusals).toMatchObject([{ code: 'invalid_reading', sensorId: 'hq.pi.units.Air', taken: 5 }]);
		expect(refusals[0]!.message).toMatch(/unit .*furlong.*pressure/);
	});

	it('leaves an array whole or nothing, unless ?partial=1 asks for what is sound', async () => {
		const good = { sensorId: 'arr-1', metric: 'co2', value: 600, ...HALL };
		const batch = [good, { ...good, value: null }, 'junk', { ...good, value: 700 }, { ...good, metric: 'mood' }];
		expect(await post(batch)).toMatchObject({ status: 422 });
		expect(await storedOf('arr-1')).toEqual([]);
		const { status, body } = await post(batch, '/ingest?partial=1');
		expect(status).toBe(202);
		expect(body).toMatchObject({
			accepted: 2,
			rejected: [
				{ index: 1, path: '/value', code: 'no_value' },
				{ index: 2, path: '', code: 'invalid_reading' },
				{ index: 4, path: '/metric', code: 'invalid_reading' },
			],
		});
		expect(await storedOf('arr-1')).toEqual([
			['co2', 600],
			['co2', 700],
		]);
	});

	it('comes back alone from the rejected list: a replay stores nothing twice', async () => {
		await publish('tele/duo/SENSOR', { A1: { Temperature: 20 }, A2: { Temperature: 999 }, TempUnit: 'C' });
		const [refusal] = await refusalsOf('duo.A2');
		const staff = await world.account({ domainName: 'acme', role: 'business_staff' });
		const { body } = await world.call('POST', '/rejected/replay', {
			token: staff,
			body: { ids: [refusal!.id] },
		});
		expect(body).toMatchObject({ replayed: [{ id: refusal!.id, outcome: 'refused', code: 'invalid_reading' }] });
		expect(await storedOf('duo.A1')).toEqual([['temperature', 20]]);
		expect(await refusalsOf('duo.A2')).toHaveLength(1);
	});
});

describe('P13 a member without a value', () => {
	it.each([
		['null', 'null'],
		['a bare nan', 'nan'],
		['NaN', 'NaN'],
		['-Infinity', '-Infinity'],
		['inf', 'inf'],
		['"unavailable"', '"unavailable"'],
		['"unknown"', '"unknown"'],
		['an empty text', '""'],
	])('%s costs nobody in the short form', async (_what, token) => {
		const sensorId = `hole-${Buffer.from(token).toString('hex')}`;
		const json = `{"sensorId":"${sensorId}","buildingId":"b1","roomId":"hall","temperature":${token},"humidity":48.2}`;
		expect(await post(json)).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await storedOf(sensorId)).toEqual([['humidity', 48.2]]);
		expect(await refusalsOf(sensorId)).toEqual([]);
	});

	it('is no fault on a topic of one metric, nor in a vendor message with bare nan', async () => {
		const before = await world.metric('gateway_readings_ignored_total', { reason: 'no_value' });
		for (const payload of ['nan', 'NaN', 'unavailable', '', 'null', '-inf'])
			await publish('telemetry/b1/hall/esp-1/temperature', payload);
		await publish('tele/kiln/SENSOR', '{"DHT11":{"Temperature":nan,"Humidity":nan},"TempUnit":"C"}');
		await publish(
			'tele/kiln/SENSOR',
			'{"DHT11":{"Temperature":nan,"Humidity":40},"BMP":{"Temperature":19.5},"TempUnit":"C"}',
		);
		expect(await world.metric('gateway_readings_ignored_total', { reason: 'no_value' })).toBe(before + 7);
		expect(await refusalsOf('esp-1')).toEqual([]);
		expect(await refusalsOf('kiln')).toEqual([]);
		expect(await storedOf('kiln.DHT11')).toEqual([['humidity', 40]]);
		expect(await storedOf('kiln.BMP')).toEqual([['temperature', 19.5]]);
		expect(await why('esp-1')).toMatchObject({ verdict: 'no_value', hint: expect.stringContaining('loose wire') });
	});

	it.each([
		['"-1.6"', 'must be a number, but is the text "-1.6": send it as the number -1.6, without quotes'],
		['"21,5 °C"', 'must be a number, but is the text "21,5 °C": send it as a number, without quotes'],
		['"warm"', '/value must be number'],
		['true', '/value must be number'],
	])('is not what a text or truth value in a reading in full is: %s is refused by name', async (value, message) => {
		const json = `{"sensorId":"text-1","metric":"temperature","value":${value},"buildingId":"b1","roomId":"hall"}`;
		const { status, body } = await post(json);
		expect([status, body.error?.code, body.error?.path]).toEqual([422, 'invalid_reading', '/value']);
		expect(body.error?.message).toContain(message);
		expect(await storedOf('text-1')).toEqual([]);
		expect((await refusalsOf('text-1')).length).toBeGreaterThan(0);
	});

	it('is refused by name in a reading in full, and in a message of which nothing is left', async () => {
		const full = { sensorId: 'full-1', metric: 'co2', ...HALL };
		for (const value of [null, undefined, 'nan', '']) {
			const { status, body } = await post({ ...full, value });
			expect([status, body.error?.code, body.error?.path]).toEqual([422, 'no_value', '/value']);
		}
		const short = { sensorId: 'full-2', ...HALL, temperature: null, humidity: 'unknown' };
		expect(await post(short)).toMatchObject({ status: 422, body: { error: { code: 'no_value' } } });
	});
});

describe('P13 framing around a payload', () => {
	const payload = '{"sensorId":"SENSOR","buildingId":"b1","roomId":"hall","temperature":21.5}';
	it.each([
		['a byte order mark', (json: string) => Buffer.from(`\ufeff${json}`)],
		['NUL bytes at the end', (json: string) => Buffer.from(`${json}\0\0`)],
		['line ends and blanks', (json: string) => Buffer.from(` \r\n${json}\r\n `)],
		['a guard against inclusion as a script', (json: string) => Buffer.from(`)]}',\n${json}`)],
	])('%s is taken off over HTTP and MQTT', async (what, frame) => {
		for (const transport of ['http', 'mqtt']) {
			const sensorId = `${transport}-${what.replaceAll(' ', '-')}`;
			const bytes = frame(payload.replace('SENSOR', sensorId));
			if (transport === 'mqtt') await publish(`telemetry/b1/hall/${sensorId}`, bytes);
			else expect(await post(bytes, '/ingest', { 'content-type': 'application/json' })).toMatchObject({ status: 202 });
			expect(await storedOf(sensorId)).toEqual([['temperature', 21.5]]);
		}
	});
});
