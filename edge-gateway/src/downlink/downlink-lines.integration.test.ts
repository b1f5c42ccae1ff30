import { type CommandToDevice, STREAMS } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../testing/gateway-world.ts';
import { type SerialLine, serialLine } from '../testing/serial-line.ts';
import { sendReadings, sensorSocket } from '../testing/socketio-client.ts';
import { commandOf, type Results, resultsOn } from './testing/results.ts';

let world: GatewayWorld;
let results: Results;
afterEach(() => world.stop());

const send = (...commands: string[]) => world.bus.append(STREAMS.commands, commands);
const reading = (sensorId: string) => ({ sensorId, metric: 'co2', value: 420, buildingId: 'b1', roomId: 'hall' });

describe('a command to a Socket.IO device', () => {
	beforeEach(async () => {
		world = await openGatewayWorld();
		results = await resultsOn(world.bus);
	});

	it('is an event, and its callback the answer: executed, failed or expired', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('d1', { sensorIds: ['door'] }) });
		const heard: CommandToDevice[] = [];
		socket.on('command', (command, done) => {
			heard.push(command);
			if (command.name === 'late') done?.({ ok: false, outcome: 'expired', detail: 'too late' });
			else done?.({ ok: command.name === 'identify', detail: 'as told' });
		});
		await send(commandOf('c1'), commandOf('c2', { name: 'dance' }), commandOf('c3', { name: 'late' }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed', detail: 'as told' });
		expect(await results.of('c2')).toMatchObject({ outcome: 'failed' });
		expect(await results.of('c3')).toMatchObject({ outcome: 'expired', detail: 'too late' });
		expect(heard[0]).toEqual({
			id: 'c1',
			sensorId: 'door',
			name: 'identify',
			deadline: expect.any(Number),
			ttlMs: expect.any(Number),
		});
	});

	it('finds a device that names no sensors once it has spoken for one, and fails where the answer is none', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('d1') });
		const ids: string[] = [];
		socket.on('command', (command, done) => {
			ids.push(command.id);
			(done as ((answer: unknown) => void) | undefined)?.('what?');
		});
		await send(commandOf('c1'));
		await waitFor('it to be under way', async () => (await world.metric('gateway_commands_under_way')) === 1);
		expect(ids).toEqual([]);
		await sendReadings(socket, [reading('window'), reading('door')]);
		expect(await results.of('c1')).toMatchObject({ outcome: 'failed' });
		expect(ids).toEqual(['c1']);
	});

	it('is sent again while the callback is not called, and under the same id', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('d1', { sensorIds: ['door'] }) });
		const ids: string[] = [];
		socket.on('command', (command, done) => {
			ids.push(command.id);
			if (ids.length === 2) done?.({ ok: true });
		});
		await send(commandOf('c1'));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(ids).toEqual(['c1', 'c1']);
	});
});

describe('a command to a serial device', () => {
	let line: SerialLine;
	beforeEach(async () => {
		line = await serialLine();
		world = await openGatewayWorld({
			settings: { serial: [{ path: line.path, defaults: { buildingId: 'b1', roomId: 'hall' } }] },
		});
		results = await resultsOn(world.bus);
		await line.send({ seq: 1, sensorId: 'door', metric: 'co2', value: 420 });
		await line.answered('ACK 1');
	});

	const commands = () =>
		line.answers.filter((said) => said.startsWith('CMD ')).map((said) => JSON.parse(said.slice(4)) as CommandToDevice);

	it('is a line, and a line the answer', async () => {
		await send(commandOf('c1', { args: { text: 'Grüße 🚪' } }));
		const command = await waitFor('the command', () => commands()[0]);
		expect(command).toMatchObject({ id: 'c1', sensorId: 'door', name: 'identify', args: { text: 'Grüße 🚪' } });
		await line.send('RESULT c1 executed blinked 3 times');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed', detail: 'blinked 3 times' });
		await line.send('RESULT c1 failed');
		await waitFor(
			'it to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		expect(results.all).toHaveLength(1);
	});

	it('is said again until it is answered, also after the cable was pulled; what is no answer is refused', async () => {
		await send(commandOf('c1', { inMs: 60_000 }));
		await waitFor('the command twice', () => commands().length === 2);
		await line.send('RESULT c1 maybe');
		await waitFor('its refusal', async () => (await world.rejected()).length === 1);
		await line.unplug();
		await line.plug();
		const before = commands().length;
		await waitFor('the command again', async () => {
			// What is sent before the gateway has opened the port is lost.
			await line.send({ seq: 2, sensorId: 'door', metric: 'co2', value: 420 });
			return commands().length > before;
		});
		await line.send('RESULT c1 executed');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(new Set(commands().map(({ id }) => id))).toEqual(new Set(['c1']));
	});
});
