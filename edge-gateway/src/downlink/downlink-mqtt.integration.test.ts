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

/** A device that listens to the commands of its sensors and says what it is told to, or nothing. */
async function device(id: string, options: { clean?: boolean; answer?: object; sensors?: string[] } = {}) {
	const { clean = true, answer, sensors = ['door'] } = options;
	const heard: { command: CommandToDevice; qos: number; retain: boolean }[] = [];
	const client = await mqttClient(world.mqttUrl, id, await world.token(id, { sensorIds: sensors }), {
		clientId: id,
		clean,
	});
	client.on('message', (topic, payload, { qos, retain }) => {
		const command = JSON.parse(payload.toString()) as CommandToDevice;
		heard.push({ command, qos, retain });
		if (answer) client.publish(`${topic}/result`, JSON.stringify({ id: command.id, ...answer }), { qos: 1 });
	});
	await client.subscribeAsync(
		sensors.map((sensorId) => `command/${sensorId}`),
		{ qos: 1 },
	);
	return { client, heard, ids: () => heard.map(({ command }) => command.id) };
}

const answer = (client: MqttClient, id: string, outcome: string, sensorId = 'door') =>
	client.publishAsync(`command/${sensorId}/result`, JSON.stringify({ id, outcome }), { qos: 1 });

describe('a command to an MQTT device', () => {
	it('is delivered with its deadline, and ends as the device says: once', async () => {
		const { heard } = await device('d1', { answer: { outcome: 'executed', detail: 'blinked' } });
		await send(commandOf('c1', { args: { times: 3 } }));
		expect(await results.of('c1')).toEqual({
			id: 'c1',
			sensorId: 'door',
			outcome: 'executed',
			detail: 'blinked',
			at: expect.any(Number),
		});
		const [{ command, qos, retain } = {}] = heard as [(typeof heard)[number]?];
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
		// The same command again, as a stream may bring it, is no second one.
		await send(commandOf('c1'), commandOf('c2'));
		await results.of('c2');
		expect(heard.map((one) => one.command.id)).toEqual(['c1', 'c2']);
		expect(results.all.map(({ id }) => id)).toEqual(['c1', 'c2']);
	});

	it('has failed where the device says so', async () => {
		await device('d1', { answer: { outcome: 'failed', detail: 'no such LED' } });
		await send(commandOf('c1'));
		expect(await results.of('c1')).toMatchObject({ outcome: 'failed', detail: 'no such LED' });
	});

	it('expires without an answer, and an answer after that is counted and changes nothing', async () => {
		const { client, ids } = await device('d1');
		await send(commandOf('c1', { inMs: 3000 }));
		await waitFor('the command', () => ids().includes('c1'));
		expect(await results.of('c1')).toMatchObject({ outcome: 'expired', detail: 'd1 did not answer in time' });
		await answer(client, 'c1', 'executed');
		await waitFor(
			'it to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		expect(results.all).toHaveLength(1);
		expect(await world.metric('gateway_commands_under_way')).toBe(0);
	});

	it('waits for a device that is away, is given it when it comes, and again when it comes back without having answered', async () => {
		await send(commandOf('c1'));
		await waitFor('it to be under way', async () => (await world.metric('gateway_commands_under_way')) === 1);
		const first = await device('d1');
		await waitFor('the command', () => first.ids().includes('c1'));
		await first.client.endAsync(true);
		const second = await device('d1', { answer: { outcome: 'executed' } });
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(second.ids()).toEqual(['c1']);
	});

	it('is never delivered late: not to who comes after the deadline, and not to a session that slept', async () => {
		const sleeper = await device('d1', { clean: false });
		await sleeper.client.endAsync();
		await send(commandOf('c1', { inMs: 150 }), commandOf('past', { inMs: -5000 }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'expired', detail: 'the device was not connected' });
		expect(await results.of('past')).toMatchObject({ outcome: 'expired' });
		const awake = await device('d1', { clean: false, answer: { outcome: 'executed' } });
		await send(commandOf('c2'));
		expect(await results.of('c2')).toMatchObject({ outcome: 'executed' });
		expect(awake.ids()).toEqual(['c2']);
	});

	it('reaches a session that comes back without subscribing again', async () => {
		const before = await device('d1', { clean: false });
		await before.client.endAsync();
		const heard: string[] = [];
		const client = await mqttClient(world.mqttUrl, 'd1', await world.token('d1', { sensorIds: ['door'] }), {
			clientId: 'd1',
			clean: false,
		});
		client.on('message', (_topic, payload) => heard.push((JSON.parse(payload.toString()) as CommandToDevice).id));
		await send(commandOf('c1'));
		await waitFor('the command', () => heard.includes('c1'));
		await answer(client, 'c1', 'executed');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
	});

	it('is answered only by who speaks for its sensor', async () => {
		const { ids } = await device('d1');
		const other = await device('d2', { sensors: ['window'] });
		await send(commandOf('c1'));
		await waitFor('the command', () => ids().includes('c1'));
		// As another's sensor it is refused; as its own it is no answer to this command.
		await answer(other.client, 'c1', 'executed', 'door');
		expect(await refusedAs(world, 'forbidden')).toMatchObject({ source: 'command/door/result', sender: 'd2' });
		await answer(other.client, 'c1', 'executed', 'window');
		await waitFor(
			'it to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		await other.client.publishAsync('command/window/result', '{"id":"c1"}', { qos: 1 });
		expect(await refusedAs(world, 'bad_request')).toMatchObject({ message: expect.stringContaining('/outcome') });
		expect(results.all).toEqual([]);
	});
});

describe('a device of another domain whose token names the same sensor', () => {
	it('hears no commands to it, answers none, and says nothing of it', async () => {
		const foreign = await world.token('spy', { domainName: 'other', sensorIds: ['registered'] });
		const { ids } = await device('d1', { sensors: ['registered'], answer: { outcome: 'executed' } });
		// The last line counts, but not this one.
		const overMqtt = await mqttClient(world.mqttUrl, 'spy', foreign);
		const heard: string[] = [];
		overMqtt.on('message', (topic) => heard.push(topic));
		for (const topic of ['command/registered', 'status/registered', 'telemetry/+/+/registered']) {
			await expect(overMqtt.subscribeAsync(topic, { qos: 1 })).rejects.toThrow();
		}
		const socket = await sensorSocket(world.url, { token: foreign });
		socket.on('command', () => heard.push('command over Socket.IO'));
		await overMqtt.publishAsync('status/registered', 'offline', { qos: 1, retain: true });
		expect(await refusedAs(world, 'forbidden', 'status/registered')).toMatchObject({ sender: 'spy' });
		await send(commandOf('c1', { sensorId: 'registered' }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(ids()).toEqual(['c1']);
		await answer(overMqtt, 'c2', 'executed', 'registered');
		expect(await refusedAs(world, 'forbidden', 'command/registered/result')).toMatchObject({ sender: 'spy' });
		const staff = await world.account({ domainName: 'other', role: 'business_admin' });
		expect((await world.call('GET', '/devices', { token: staff })).body.sensors).toEqual([]);
		expect(heard).toEqual([]);
	});
});

describe('what is no command', () => {
	it('has failed where it can be named, and is passed over where it cannot', async () => {
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

	it('has failed with too much to carry, or a deadline too far ahead to be meant', async () => {
		await send(commandOf('large', { args: 'x'.repeat(5000) }), commandOf('far', { inMs: 25 * 3600_000 }));
		expect(await results.of('large')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('/args') });
		expect(await results.of('far')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('/deadline') });
	});
});
