import { type CommandToDevice, STREAMS } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import type { MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../testing/gateway-world.ts';
import { mqttClient } from '../testing/mqtt-clients.ts';
import { sensorSocket } from '../testing/socketio-client.ts';
import { commandOf, type Results, resultsOn } from './testing/results.ts';

let world: GatewayWorld;
let results: Results;
beforeEach(async () => {
	world = await openGatewayWorld();
	results = await resultsOn(world.bus);
});
afterEach(() => world.stop());

const send = (...commands: string[]) => world.bus.append(STREAMS.commands, commands);

/** A device that subscribes to the commands of its sensors, and sends `answer` to each if there is one. */
async function device(
	id: string,
	options: { clean?: boolean; answer?: object; sensors?: string[]; domainName?: string } = {},
) {
	const { clean = true, answer, sensors = ['door'], domainName = 'acme' } = options;
	const received: { command: CommandToDevice; qos: number; retain: boolean }[] = [];
	const client = await mqttClient(world.mqttUrl, id, await world.token(id, { domainName, sensorIds: sensors }), {
		clientId: id,
		clean,
	});
	client.on('message', (topic, payload, { qos, retain }) => {
		const command = JSON.parse(payload.toString()) as CommandToDevice;
		received.push({ command, qos, retain });
		if (answer) client.publish(`${topic}/result`, JSON.stringify({ id: command.id, ...answer }), { qos: 1 });
	});
	await client.subscribeAsync(
		sensors.map((sensorId) => `command/${sensorId}`),
		{ qos: 1 },
	);
	return { client, received, ids: () => received.map(({ command }) => command.id) };
}

const answer = (client: MqttClient, id: string, outcome: string, sensorId = 'door') =>
	client.publishAsync(`command/${sensorId}/result`, JSON.stringify({ id, outcome }), { qos: 1 });

describe('a command to an MQTT device', () => {
	it('is delivered with its deadline, and has exactly one outcome, the one the device answers', async () => {
		const { received } = await device('d1', { answer: { outcome: 'executed', detail: 'blinked' } });
		await send(commandOf('c1', { args: { times: 3 } }));
		expect(await results.of('c1')).toEqual({
			id: 'c1',
			sensorId: 'door',
			outcome: 'executed',
			detail: 'blinked',
			at: expect.any(Number),
		});
		const [{ command, qos, retain } = {}] = received as [(typeof received)[number]?];
		expect({ qos, retain }).toEqual({ qos: 1, retain: false });
		expect(command).toEqual({
			id: 'c1',
			name: 'identify',
			args: { times: 3 },
			deadline: expect.any(Number),
			ttlMs: expect.any(Number),
		});
		expect(command!.ttlMs).toBeGreaterThan(0);
		expect(command!.ttlMs).toBeLessThanOrEqual(10_000);
		// A stream may deliver the same command twice.
		await send(commandOf('c1'), commandOf('c2'));
		await results.of('c2');
		expect(received.map((one) => one.command.id)).toEqual(['c1', 'c2']);
		expect(results.all.map(({ id }) => id)).toEqual(['c1', 'c2']);
	});

	it('fails if the device answers that it failed', async () => {
		await device('d1', { answer: { outcome: 'failed', detail: 'no such LED' } });
		await send(commandOf('c1'));
		expect(await results.of('c1')).toMatchObject({ outcome: 'failed', detail: 'no such LED' });
	});

	it('expires without an answer, and a later answer is only counted', async () => {
		const { client, ids } = await device('d1');
		await send(commandOf('c1', { inMs: 3000 }));
		await waitFor('the command', () => ids().includes('c1'));
		expect(await results.of('c1')).toMatchObject({ outcome: 'expired', detail: 'd1 did not answer in time' });
		await answer(client, 'c1', 'executed');
		await waitFor(
			'the late answer to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		expect(results.all).toHaveLength(1);
		expect(await world.metric('gateway_commands_under_way')).toBe(0);
	});

	it('waits for a device to connect, and is sent again if the device reconnects without having answered', async () => {
		await send(commandOf('c1'));
		await waitFor('the command to be under way', async () => (await world.metric('gateway_commands_under_way')) === 1);
		const first = await device('d1');
		await waitFor('the command', () => first.ids().includes('c1'));
		await first.client.endAsync(true);
		const second = await device('d1', { answer: { outcome: 'executed' } });
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(second.ids()).toEqual(['c1']);
	});

	it('is never delivered after its deadline, also not to a stored session', async () => {
		const offline = await device('d1', { clean: false });
		await offline.client.endAsync();
		await send(commandOf('c1', { inMs: 150 }), commandOf('past', { inMs: -5000 }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'expired', detail: 'the device was not connected' });
		expect(await results.of('past')).toMatchObject({ outcome: 'expired' });
		const online = await device('d1', { clean: false, answer: { outcome: 'executed' } });
		await send(commandOf('c2'));
		expect(await results.of('c2')).toMatchObject({ outcome: 'executed' });
		expect(online.ids()).toEqual(['c2']);
	});

	it('reaches a stored session whose client reconnects without subscribing again', async () => {
		const before = await device('d1', { clean: false });
		await before.client.endAsync();
		const ids: string[] = [];
		const client = await mqttClient(world.mqttUrl, 'd1', await world.token('d1', { sensorIds: ['door'] }), {
			clientId: 'd1',
			clean: false,
		});
		client.on('message', (_topic, payload) => ids.push((JSON.parse(payload.toString()) as CommandToDevice).id));
		await send(commandOf('c1'));
		await waitFor('the command', () => ids.includes('c1'));
		await answer(client, 'c1', 'executed');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
	});

	it('can only be answered by a device that may send for its sensor', async () => {
		const { ids } = await device('d1');
		const other = await device('d2', { sensors: ['window'] });
		await send(commandOf('c1'));
		await waitFor('the command', () => ids().includes('c1'));
		// For another device's sensor the answer is refused; for its own sensor it does not match this command.
		await answer(other.client, 'c1', 'executed', 'door');
		expect(await refusedAs(world, 'forbidden')).toMatchObject({ source: 'command/door/result', sender: 'd2' });
		await answer(other.client, 'c1', 'executed', 'window');
		await waitFor(
			'the late answer to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		await other.client.publishAsync('command/window/result', '{"id":"c1"}', { qos: 1 });
		expect(await refusedAs(world, 'bad_request')).toMatchObject({ message: expect.stringContaining('/outcome') });
		expect(results.all).toEqual([]);
	});
});

describe('P14 a device of another domain whose token names a sensor of the same id', () => {
	it('receives no commands of the sensor, cannot answer them, and does not set its status', async () => {
		const foreign = await world.token('spy', { domainName: 'other', sensorIds: ['registered'] });
		const { ids } = await device('d1', { sensors: ['registered'], answer: { outcome: 'executed' } });
		const token = await world.token('d1', { sensorIds: ['registered'] });
		const client = await mqttClient(world.mqttUrl, 'd1', token, { clientId: 'its-status' });
		const states: string[] = [];
		client.on('message', (_topic, payload) => states.push(payload.toString()));
		await client.subscribeAsync('status/registered', { qos: 1 });
		await client.publishAsync('status/registered', 'online', { qos: 1, retain: true });
		// The newest channel of a sensor is used, but not one of another domain.
		const overMqtt = await mqttClient(world.mqttUrl, 'spy', foreign);
		const received: string[] = [];
		overMqtt.on('message', (topic, payload) => received.push(`${topic} ${payload}`));
		// They are its own sensor's.
		await overMqtt.subscribeAsync(['command/registered', 'status/registered', 'telemetry/+/+/registered'], { qos: 1 });
		const socket = await sensorSocket(world.url, { token: foreign });
		socket.on('command', () => received.push('command over Socket.IO'));
		await overMqtt.publishAsync('status/registered', 'offline', { qos: 1, retain: true });
		await waitFor('its own status', () => received.length === 1);
		await send(commandOf('c1', { sensorId: 'registered' }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		await send(commandOf('c2', { sensorId: 'registered', domainName: 'acme' }));
		expect(await results.of('c2')).toMatchObject({ outcome: 'executed' });
		expect(ids()).toEqual(['c1', 'c2']);
		await answer(overMqtt, 'c3', 'executed', 'registered');
		await waitFor(
			'the answer to be counted as late',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		const body = { sensorId: 'registered', metric: 'co2', value: 420 };
		expect((await world.call('POST', '/ingest', { token, body })).status).toBe(202);
		const staff = await world.account({ domainName: 'other', role: 'business_admin' });
		expect((await world.call('GET', '/devices', { token: staff })).body.sensors).toMatchObject([{ state: 'offline' }]);
		const owner = await world.account({ domainName: 'acme', role: 'business_admin' });
		expect((await world.call('GET', '/devices', { token: owner })).body.sensors).toMatchObject([{ state: 'online' }]);
		expect(received).toEqual(['status/registered offline']);
		expect(states).toEqual(['online']);
		await overMqtt.unsubscribeAsync('status/registered');
		await overMqtt.publishAsync('status/registered', 'online', { qos: 1, retain: true });
		await overMqtt.subscribeAsync('status/registered', { qos: 1 });
		await waitFor('its own retained status', () => received.length === 2);
		expect(received).toEqual(['status/registered offline', 'status/registered online']);
	});

	it('gets the commands that are for the sensor of its own domain', async () => {
		const other = await device('spy', {
			domainName: 'other',
			sensors: ['registered'],
			answer: { outcome: 'executed' },
		});
		const own = await device('d1', { sensors: ['registered'], answer: { outcome: 'executed' } });
		await send(commandOf('c1', { sensorId: 'registered', domainName: 'other' }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect([other.ids(), own.ids()]).toEqual([['c1'], []]);
	});
});

describe('an invalid command on the bus', () => {
	it('fails if it names a command and a sensor, and is ignored otherwise', async () => {
		await device('d1', { answer: { outcome: 'executed' } });
		await send(
			'not JSON',
			'{"id":"no name","sensorId":"door"}',
			'{"id":"c1","sensorId":"door","name":"identify"}',
			commandOf('c2'),
		);
		expect(await results.of('c1')).toMatchObject({ outcome: 'failed', detail: '/deadline is required' });
		expect(await results.of('c2')).toMatchObject({ outcome: 'executed' });
		expect(await world.metric('gateway_commands_total', { outcome: 'invalid' })).toBe(3);
	});

	it('fails if its arguments are too large or its deadline is too far ahead', async () => {
		await send(commandOf('large', { args: 'x'.repeat(5000) }), commandOf('far', { inMs: 25 * 3600_000 }));
		expect(await results.of('large')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('/args') });
		expect(await results.of('far')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('/deadline') });
	});
});
