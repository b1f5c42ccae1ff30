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

	it('is sent as an event and gets its outcome from the callback: executed, failed or expired', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('d1', { sensorIds: ['door'] }) });
		const received: CommandToDevice[] = [];
		socket.on('command', (command, done) => {
			received.push(command);
			if (command.name === 'late') done?.({ ok: false, outcome: 'expired', detail: 'too late' });
			else done?.({ ok: command.name === 'identify', detail: 'done' });
		});
		await send(commandOf('c1'), commandOf('c2', { name: 'dance' }), commandOf('c3', { name: 'late' }));
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed', detail: 'done' });
		expect(await results.of('c2')).toMatchObject({ outcome: 'failed' });
		expect(await results.of('c3')).toMatchObject({ outcome: 'expired', detail: 'too late' });
		expect(received[0]).toEqual({
			id: 'c1',
			sensorId: 'door',
			name: 'identify',
			deadline: expect.any(Number),
			ttlMs: expect.any(Number),
		});
	});

	it('reaches a device without listed sensors once it has sent for one, and fails for a malformed answer', async () => {
		const socket = await sensorSocket(world.url, { token: await world.token('d1') });
		const ids: string[] = [];
		socket.on('command', (command, done) => {
			ids.push(command.id);
			(done as ((answer: unknown) => void) | undefined)?.('what?');
		});
		await send(commandOf('c1'));
		await waitFor('the command to be under way', async () => (await world.metric('gateway_commands_under_way')) === 1);
		expect(ids).toEqual([]);
		await sendReadings(socket, [reading('window'), reading('door')]);
		expect(await results.of('c1')).toMatchObject({ outcome: 'failed' });
		expect(ids).toEqual(['c1']);
	});

	it('is sent again with the same id until the callback is called', async () => {
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
		line.answers.filter((text) => text.startsWith('CMD ')).map((text) => JSON.parse(text.slice(4)) as CommandToDevice);

	it('is sent as a line of text and answered by one', async () => {
		await send(commandOf('c1', { args: { text: 'Grüße 🚪' } }));
		const command = await waitFor('the command', () => commands()[0]);
		expect(command).toMatchObject({ id: 'c1', sensorId: 'door', name: 'identify', args: { text: 'Grüße 🚪' } });
		await line.send('RESULT c1 executed blinked 3 times');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed', detail: 'blinked 3 times' });
		await line.send('RESULT c1 failed');
		await waitFor(
			'the late answer to be counted',
			async () => (await world.metric('gateway_commands_total', { outcome: 'late' })) === 1,
		);
		expect(results.all).toHaveLength(1);
	});

	it('is sent again until it is answered, also after unplugging the cable; a malformed answer is refused', async () => {
		await send(commandOf('c1', { inMs: 60_000 }));
		await waitFor('the command twice', () => commands().length === 2);
		await line.send('RESULT c1 maybe');
		await waitFor('the refusal of the answer', async () => (await world.rejected()).length === 1);
		await line.unplug();
		await line.plug();
		const before = commands().length;
		await waitFor('the command again', async () => {
			// A line that is sent before the gateway has opened the port is lost.
			await line.send({ seq: 2, sensorId: 'door', metric: 'co2', value: 420 });
			return commands().length > before;
		});
		await line.send('RESULT c1 executed');
		expect(await results.of('c1')).toMatchObject({ outcome: 'executed' });
		expect(new Set(commands().map(({ id }) => id))).toEqual(new Set(['c1']));
	});
});
