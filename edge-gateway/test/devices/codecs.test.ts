import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../../src/configuration/gateway-file.ts';
import { COUNTER_CODEC } from '../../src/testing/codecs.ts';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
const thingsUplink = (device: string, hex: string) =>
	JSON.stringify({
		end_device_ids: { device_id: device },
		uplink_message: { session_key_id: 'AY', f_cnt: 7, f_port: 85, frm_payload: base64(hex) },
	});

describe('P13 a rule with a vendor codec', () => {
	const counter = { name: 'counter.js', text: COUNTER_CODEC };
	const runaway = {
		name: 'runaway.js',
		text: 'function decodeUplink(i) { for (; i.bytes[0]; ); return {data: {co2: 400}}; }',
	};
	let world: GatewayWorld;
	beforeAll(async () => {
		world = await openGatewayWorld({
			settings: {
				decoders: [
					{ topic: 'v3/+/devices/+/up', use: 'codec', codec: 'c.js', codecFile: counter, defaults: HALL },
					{ topic: 'application/+/device/+/event/+', use: 'codec', codec: 'c.js', codecFile: counter, defaults: HALL },
					{ topic: 'lora/+/raw', use: 'codec', codec: 'c.js', codecFile: counter, defaults: HALL },
					{ topic: 'bad/+/raw', use: 'codec', codec: 'r.js', codecFile: runaway, defaults: HALL },
					{ path: 'counters', use: 'codec', codec: 'c.js', codecFile: counter, defaults: HALL },
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

	it('reads raw uplinks of both network servers, and bytes over MQTT, each acknowledged when stored', async () => {
		const client = await mqttClient(world.mqttUrl, 'lora', await world.token('lora'));
		const publish = (topic: string, payload: string | Buffer) => client.publishAsync(topic, payload, { qos: 1 });
		await publish('v3/app@t/devices/tts-1/up', thingsUplink('tts-1', '0800dc0903'));
		await publish(
			'application/1/device/a84041/event/up',
			JSON.stringify({ deviceInfo: { devEui: 'a84041' }, devAddr: '00', fCnt: 1, fPort: 85, data: base64('0904') }),
		);
		await publish('lora/raw-1/raw', Buffer.from('08ff9c', 'hex'));
		expect(await storedOf('tts-1')).toEqual([
			['temperature', 22],
			['peopleCount', 3],
		]);
		expect(await storedOf('a84041')).toEqual([['peopleCount', 4]]);
		expect(await storedOf('raw-1')).toEqual([['temperature', -10]]);
	});

	it('reads bytes over HTTP at the path of the rule, of the only sensor of the token', async () => {
		const token = await world.token('poster', { sensorIds: ['http-1'], buildingId: 'b1' });
		const answer = await world.call('POST', '/ingest/counters', {
			token,
			body: Buffer.from('0905', 'hex'),
			headers: { 'content-type': 'application/octet-stream' },
		});
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await storedOf('http-1')).toEqual([['peopleCount', 5]]);
	});

	it('costs a runaway message only: it is refused with the reason, and all others are read', async () => {
		const client = await mqttClient(world.mqttUrl, 'bad', await world.token('bad'));
		await Promise.all([
			client.publishAsync('bad/b-1/raw', Buffer.from([1]), { qos: 1 }),
			client.publishAsync('bad/b-1/raw', Buffer.from([0]), { qos: 1 }),
			client.publishAsync('lora/raw-2/raw', Buffer.from('0902', 'hex'), { qos: 1 }),
		]);
		expect(await storedOf('b-1')).toEqual([['co2', 400]]);
		expect(await storedOf('raw-2')).toEqual([['peopleCount', 2]]);
		expect(await refusedAs(world, 'not_decoded', 'bad/b-1/raw')).toMatchObject({
			message: expect.stringMatching(/runaway\.js fail: it ran for more than \d+ ms, and was stopped/),
		});
	});

	it('has its warnings counted, and told by `why` beside what was read or the reason for nothing', async () => {
		const client = await mqttClient(world.mqttUrl, 'courier', await world.token('courier'));
		const publish = (topic: string, payload: string | Buffer) => client.publishAsync(topic, payload, { qos: 1 });
		const count = () => world.metric('gateway_codec_warnings_total', { rule: 'lora/+/raw' });
		const before = await count();
		await publish('lora/weak/raw', Buffer.from('ff0906', 'hex'));
		await publish('lora/weak/raw', Buffer.from('ff0907', 'hex'));
		await publish('lora/silent/raw', Buffer.from('ff', 'hex'));
		expect(await count()).toBe(before + 3);
		expect(await storedOf('weak')).toEqual([
			['peopleCount', 6],
			['peopleCount', 7],
		]);
		const token = await world.account({ domainName: 'acme', role: 'business_staff' });
		const why = async (sensor: string) => (await world.call('GET', `/trace?sensor=${sensor}`, { token })).body;
		expect(await why('weak')).toMatchObject({
			text: expect.stringContaining('its codec warns: "low battery" (2 times)'),
			hint: expect.stringContaining('what the vendor says of the codec'),
		});
		expect(await why('silent')).toMatchObject({
			verdict: 'no_reading',
			text: expect.stringContaining('its codec warns: "low battery"'),
		});
	});

	it('has a message refused with the errors that the codec reports', async () => {
		const client = await mqttClient(world.mqttUrl, 'odd', await world.token('odd'));
		await client.publishAsync('lora/odd/raw', Buffer.from('77', 'hex'), { qos: 1 });
		expect(await refusedAs(world, 'not_decoded', 'lora/odd/raw')).toMatchObject({
			message: expect.stringContaining('says the codec counter.js: unknown channel 119'),
		});
	});
});

describe('the codec file of a configuration', () => {
	const JWT_SECRET = 'a secret for tests only, of more than 32 characters';
	const tokens = new Tokens(JWT_SECRET);
	const YAML = 'decoders:\n  - {topic: "lora/+/raw", use: codec, codec: vendor.js, defaults: {roomId: hall}}\n';
	let dir: string;
	let running: Running | undefined;
	beforeEach(async () => {
		dir = await mkdtemp(join(tmpdir(), 'crowdvision-codecs-'));
		await writeFile(join(dir, 'gateway.yaml'), YAML);
	});
	afterEach(async () => {
		await running?.kill();
		running = undefined;
		await rm(dir, { recursive: true, force: true });
	});
	const env = () => ({
		PORT: '0',
		MQTT_PORT: '0',
		HOST: '127.0.0.1',
		DATA_DIR: join(dir, 'data'),
		JWT_SECRET,
		LOG_LEVEL: 'warn',
		REDIS_URL: undefined,
		GATEWAY_CONFIG: undefined,
	});
	const check = async () => {
		const run = await startNode('edge-gateway/src/main.ts', { args: ['check'], env: env(), cwd: dir });
		await run.exited;
		return run.stdout() + run.stderr();
	};
	const write = (text: string) => writeFile(join(dir, 'vendor.js'), text);

	it('is named with the place of a mistake when it cannot be read or does not parse', async () => {
		const codec = join(dir, 'vendor.js');
		const parse = () => parseGatewayFile('gateway.yaml', YAML.replace('vendor.js', codec));
		expect(parse).toThrow(/^gateway\.yaml:2:\d+: decoders\.0\.codec \(.*vendor\.js\) cannot be read: /);
		await write('function decodeUplink(input) {\n  return {;\n}');
		expect(parse).toThrow(/^gateway\.yaml:2:\d+: .* does not parse: .*vendor\.js:2: Unexpected token ';'$/);
		await write('var decode = 1;');
		expect(parse).toThrow(/has none of the functions decodeUplink, Decode and Decoder$/);
		await write(COUNTER_CODEC);
		expect(parse().decoders).toHaveLength(1);
	});

	it('is loaded by `check`', async () => {
		await write('notThere.decodeUplink = 1;');
		expect(await check()).toMatch(/the codec vendor\.js cannot be used: ReferenceError: .* \(vendor\.js:1\)/);
		await write(COUNTER_CODEC);
		expect(await check()).toContain('the configuration is valid');
	});

	it('is read again when it changes while the gateway runs; one that does not load is not used', async () => {
		const reading = (expression: string) => `function decodeUplink(input) { return {data: {co2: ${expression}}}; }`;
		await write(reading('input.bytes[0]'));
		running = await startNode('edge-gateway/src/main.ts', {
			env: env(),
			cwd: dir,
			ready: /^ready (http:\S+) (mqtt:\S+)$/m,
		});
		const gateway = running;
		const metrics = async () => (await fetch(`${gateway.ready[1]}/metrics`)).text();
		const scope = { id: 'lora', domainName: 'local', buildingId: 'b1' };
		const client = await mqttClient(gateway.ready[2]!, 'lora', await tokens.signDevice(scope));
		const send = () => client.publishAsync('lora/d/raw', Buffer.from([200]), { qos: 1 });
		await send();
		await write('nothing.decodeUplink = 1;');
		await waitFor('the mistake in the log', () => /cannot be used/.test(gateway.stdout() + gateway.stderr()), 30_000);
		await send();
		await write(reading('input.bytes[0] * 1e6'));
		await waitFor(
			'a refusal by the new codec',
			async () => {
				await send();
				return /gateway_readings_rejected_total\{[^}]*\} [1-9]/.test(await metrics());
			},
			30_000,
		);
		await client.endAsync();
	});
});
