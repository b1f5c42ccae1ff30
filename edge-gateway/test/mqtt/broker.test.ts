import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient, rawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld();
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

let lastId = 0;
/** A device with one sensor of its own, so that no test sees another's. */
async function newDevice() {
	const id = `m-${++lastId}`;
	const sensorId = `s-${lastId}`;
	const token = await world.token(id, { sensorIds: [sensorId] });
	return { id, sensorId, token, topic: `telemetry/b1/hall/${sensorId}` };
}
const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);

describe.each([
	['TCP', () => world.mqttUrl],
	['WebSocket', () => world.wsUrl],
] as const)('MQTT over %s', (_name, urlOf) => {
	it('stores readings of every QoS, and acknowledges them once they are stored', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		for (const qos of [1, 2] as const) {
			await client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400 + qos, seq: qos }), { qos });
			expect((await storedOf(sensorId)).map(({ value }) => value)).toContain(400 + qos);
		}
		await client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400, seq: 0 }), { qos: 0 });
		const stored = await waitFor('the reading of QoS 0', async () => {
			const all = await storedOf(sensorId);
			return all.length === 3 && all;
		});
		expect(stored.map(({ value }) => value)).toEqual([401, 402, 400]);
		expect(stored[0]).toMatchObject({ buildingId: 'b1', roomId: 'hall', transport: 'mqtt', seq: 1 });
	});

	it('accepts an array, several metrics in one object, and a bare number if the topic names the metric', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		await client.publishAsync(
			topic,
			JSON.stringify([
				{ metric: 'co2', value: 1 },
				{ temperature: 2, humidity: 3 },
			]),
			{ qos: 1 },
		);
		await client.publishAsync(`${topic}/noise`, ' 4.5\n', { qos: 1 });
		expect((await storedOf(sensorId)).map(({ metric, value }) => [metric, value])).toEqual([
			['co2', 1],
			['temperature', 2],
			['humidity', 3],
			['noise', 4.5],
		]);
	});

	it.each<[string, (id: string, token: string) => Promise<[string | undefined, string | undefined]>]>([
		['a wrong password', async (id) => [id, 'wrong']],
		['no password', async (id) => [id, undefined]],
		['no credentials', async () => [undefined, undefined]],
		["another device's token", async (id) => [id, await world.token('somebody-else')]],
		["an account's token", async (id) => [id, await world.account({ domainName: 'acme', role: 'admin' })]],
		['a device id that begins like its own', async (id, token) => [`${id}0`, token]],
	])('refuses %s with CONNACK 4', async (_what, credentials) => {
		const { id, token } = await newDevice();
		const [username, password] = await credentials(id, token);
		const options = {
			...(username === undefined ? { username: undefined as never } : {}),
			...(password === undefined ? { password: undefined as never } : {}),
		};
		await expect(mqttClient(urlOf(), username ?? '', password ?? '', options)).rejects.toMatchObject({ code: 4 });
	});
});

describe('over MQTT,', () => {
	it.each<[string, string, string, string, RegExp]>([
		['broken JSON', '', '{', 'not_json', /not valid JSON/],
		['an empty payload', '', '', 'not_json', /not valid JSON/],
		[
			'a value outside the hard range',
			'',
			'{"metric":"co2","value":-1}',
			'invalid_reading',
			/^reading 0: \/value must be from 0/,
		],
		['an unknown metric', '/mood', '5', 'invalid_reading', /\/metric/],
		['an empty metric', '/', '5', 'invalid_reading', /\/metric/],
		[
			'a text although the topic names the metric',
			'/co2',
			'"five"',
			'invalid_reading',
			/must be a number or a reading/,
		],
		[
			'another sensor than its topic names',
			'',
			'{"metric":"co2","value":1,"sensorId":"other"}',
			'invalid_reading',
			/\/sensorId contradicts the topic/,
		],
		['a topic with too many levels', '/co2/x', '5', 'bad_request', /The topic must be/],
	])(
		'%s is acknowledged, listed with the reason, counted, and sent to no subscriber',
		async (_what, below, payload, code, reason) => {
			const { id, sensorId, token, topic } = await newDevice();
			const client = await mqttClient(world.mqttUrl, id, token);
			const messages = await messagesOn(client, `telemetry/+/+/${sensorId}/#`);
			const before = await world.metric('gateway_readings_rejected_total', { transport: 'mqtt', reason: code });
			// An empty retained message clears, and is no fault.
			await client.publishAsync(topic + below, payload, { qos: 1, retain: payload !== '' });
			expect(await refusedAs(world, code, topic + below)).toMatchObject({
				transport: 'mqtt',
				sender: id,
				domainName: 'acme',
				sample: payload,
				message: expect.stringMatching(reason),
			});
			expect(await world.metric('gateway_readings_rejected_total', { transport: 'mqtt', reason: code })).toBe(
				before + 1,
			);
			// The valid reading was sent after the refused one: once it arrives, the refused one will not.
			await client.publishAsync(topic, '{"metric":"co2","value":1}', { qos: 1 });
			await waitFor('the valid reading', () => messages.length > 0);
			expect(messages).toEqual([{ topic, payload: '{"metric":"co2","value":1}', retain: false }]);
			expect(await storedOf(sensorId)).toHaveLength(1);
		},
	);

	it('messages on topics of another device, building or status are refused', async () => {
		const { id, token, sensorId } = await newDevice();
		const client = await mqttClient(world.mqttUrl, id, token);
		await client.publishAsync('telemetry/b1/hall/not-mine/co2', '1', { qos: 1 });
		await client.publishAsync(`telemetry/foreign/hall/${sensorId}/co2`, '1', { qos: 1 });
		await client.publishAsync('status/not-mine', 'online', { qos: 1, retain: true });
		await client.publishAsync(`status/${sensorId}`, 'sleepy', { qos: 1, retain: true });
		await client.publishAsync('command/not-mine', '{}', { qos: 1 });
		const refused = (await world.rejected()).filter(({ sender }) => sender === id).reverse();
		expect(refused.map(({ code, source }) => [code, source])).toEqual([
			['forbidden', 'telemetry/b1/hall/not-mine/co2'],
			['forbidden', `telemetry/foreign/hall/${sensorId}/co2`],
			['forbidden', 'status/not-mine'],
			['bad_request', `status/${sensorId}`],
			['bad_request', 'command/not-mine'],
		]);
	});

	it('subscriptions to topics of another device get 0x80, while own ones in the same packet are granted', async () => {
		const { id, token, sensorId } = await newDevice();
		const client = await rawSignedIn(world, id, token);
		const filters = [
			'#',
			`command/${sensorId}`,
			'command/+',
			'telemetry/b1/#',
			'status/not-mine',
			'$SYS/#',
			'$refused',
			`telemetry/+/+/${sensorId}`,
		];
		client.send({
			cmd: 'subscribe',
			messageId: 1,
			subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })),
		});
		const { granted } = await client.next('suback');
		expect(granted).toEqual([128, 1, 128, 128, 128, 128, 128, 1]);
	});
});

describe('a status over MQTT', () => {
	it('is retained for those who may subscribe, and set to offline by the last will', async () => {
		const { id, token, sensorId } = await newDevice();
		const events: string[] = [];
		const listening = await world.bus.listen('devices', (message) => events.push(message));
		onTestFinished(() => listening.close());
		const will = { topic: `status/${sensorId}`, payload: Buffer.from('offline'), qos: 1 as const, retain: true };
		const client = await mqttClient(world.mqttUrl, id, token, { clientId: 'one', will });
		await client.publishAsync(`status/${sensorId}`, 'online', { qos: 1, retain: true });
		const watcher = await mqttClient(world.mqttUrl, id, token, { clientId: 'two' });
		const messages = await messagesOn(watcher, `status/${sensorId}`);
		await waitFor('online', () => messages.length === 1);
		client.stream.destroy();
		await waitFor('offline', () => messages.length === 2);
		expect(messages.map(({ payload, retain }) => [payload, retain])).toEqual([
			['online', true],
			['offline', false],
		]);
		const later = await messagesOn(await mqttClient(world.mqttUrl, id, token), `status/${sensorId}`);
		await waitFor('the retained status', () => later.length === 1);
		expect(later[0]).toMatchObject({ payload: 'offline', retain: true });
		expect(events.map((event) => JSON.parse(event))).toMatchObject([
			{ sensorId, state: 'online', gatewayId: 'test' },
			{ sensorId, state: 'offline', gatewayId: 'test' },
		]);
	});

	it('of another device cannot be set by a last will either', async () => {
		const { id, token } = await newDevice();
		const will = { topic: 'status/not-mine', payload: Buffer.from('offline'), qos: 1 as const, retain: true };
		const client = await mqttClient(world.mqttUrl, id, token, { will });
		client.stream.destroy();
		await waitFor('the refusal of the will', async () =>
			(await world.rejected()).find(({ sender, source }) => sender === id && source === 'status/not-mine'),
		);
	});
});

describe('two MQTT connections', () => {
	it('of different devices may have the same client id, and neither gets the session of the other', async () => {
		const [one, two] = [await newDevice(), await newDevice()];
		const options = { clientId: 'esp32', clean: false };
		const first = await mqttClient(world.mqttUrl, one.id, one.token, options);
		const messages = await messagesOn(first, `telemetry/+/+/${one.sensorId}`);
		const second = await mqttClient(world.mqttUrl, two.id, two.token, options);
		await second.publishAsync(two.topic, '{"metric":"co2","value":2}', { qos: 1 });
		await first.publishAsync(one.topic, '{"metric":"co2","value":1}', { qos: 1 });
		await waitFor('its own reading', () => messages.length === 1);
		expect([first.connected, second.connected]).toEqual([true, true]);
		// What waits for the first device is not given to another one with its client id.
		await first.endAsync(true);
		const third = await mqttClient(world.mqttUrl, one.id, one.token);
		await third.publishAsync(one.topic, '{"metric":"co2","value":3}', { qos: 1 });
		await second.endAsync(true);
		const thief = await rawMqtt(world);
		thief.send({
			cmd: 'connect',
			protocolId: 'MQTT',
			protocolVersion: 4,
			clean: false,
			keepalive: 60,
			clientId: 'esp32',
			username: two.id,
			password: Buffer.from(two.token),
		});
		await thief.next('connack');
		thief.send({ cmd: 'pingreq' });
		await thief.next('pingresp');
		expect(thief.received).toEqual([]);
	});

	it('of one device with the same client id cannot coexist: the newer one stays', async () => {
		const { id, token, topic, sensorId } = await newDevice();
		const first = await mqttClient(world.mqttUrl, id, token, { clientId: 'same' });
		const gone = new Promise<void>((resolve) => first.once('close', () => resolve()));
		const second = await mqttClient(world.mqttUrl, id, token, { clientId: 'same' });
		await gone;
		await second.publishAsync(topic, '{"metric":"co2","value":1}', { qos: 1 });
		expect(await storedOf(sensorId)).toHaveLength(1);
	});
});

it('the broker stores no readings for an MQTT subscriber that is away', async () => {
	const { id, token, topic, sensorId } = await newDevice();
	const subscriber = await mqttClient(world.mqttUrl, id, token, { clientId: 'away', clean: false });
	await subscriber.subscribeAsync([`telemetry/+/+/${sensorId}`, `command/${sensorId}`], { qos: 1 });
	await subscriber.endAsync();
	const publisher = await mqttClient(world.mqttUrl, id, token, { clientId: 'here' });
	await publisher.publishAsync(topic, '{"metric":"co2","value":1}', { qos: 1 });
	const back = await mqttClient(world.mqttUrl, id, token, { clientId: 'away', clean: false });
	const messages: string[] = [];
	back.on('message', (_topic, payload) => messages.push(payload.toString()));
	await publisher.publishAsync(topic, '{"metric":"co2","value":2}', { qos: 1 });
	await waitFor('the reading published after its return', () => messages.length > 0);
	expect(messages).toEqual(['{"metric":"co2","value":2}']);
});

it('a refused filter stores nothing in an MQTT session, even next to a granted one in the same packet', async () => {
	const { id, token, sensorId } = await newDevice();
	const other = await newDevice();
	const connectSly = async () => {
		const client = await rawMqtt(world);
		client.send({
			cmd: 'connect',
			protocolId: 'MQTT',
			protocolVersion: 4,
			clean: false,
			keepalive: 60,
			clientId: 'sly',
			username: id,
			password: Buffer.from(token),
		});
		await client.next('connack');
		return client;
	};
	const first = await connectSly();
	first.send({
		cmd: 'subscribe',
		messageId: 1,
		subscriptions: [`command/${sensorId}`, '#', 'status/+'].map((topic) => ({ topic, qos: 1 as const })),
	});
	expect(await first.next('suback')).toMatchObject({ granted: [1, 128, 128] });
	first.end();
	const publisher = await mqttClient(world.mqttUrl, other.id, other.token);
	await publisher.publishAsync(`status/${other.sensorId}`, 'online', { qos: 1, retain: true });
	await publisher.publishAsync(other.topic, '{"metric":"co2","value":1}', { qos: 1 });
	const second = await connectSly();
	for (let i = 0; i < 3; i++) {
		second.send({ cmd: 'pingreq' });
		await second.next('pingresp');
	}
	expect(second.received).toEqual([]);
});

it('an MQTT message of QoS 2 is stored once, however often it is sent before its release', async () => {
	const { id, token, topic, sensorId } = await newDevice();
	const client = await rawSignedIn(world, id, token);
	const publish = {
		cmd: 'publish' as const,
		topic,
		payload: '{"metric":"co2","value":1}',
		qos: 2 as const,
		messageId: 7,
		retain: false,
	};
	for (const dup of [false, true, true]) {
		client.send({ ...publish, dup });
		expect(await client.next('pubrec')).toMatchObject({ messageId: 7 });
	}
	client.send({ cmd: 'pubrel', messageId: 7 });
	await client.next('pubcomp');
	expect(await storedOf(sensorId)).toHaveLength(1);
	client.send({ ...publish, dup: false });
	await client.next('pubrec');
	expect(await storedOf(sensorId)).toHaveLength(2);
});
