import { createServer } from 'node:http';
import type { CommandToDevice } from '@crowdvision/contracts';
import { listen } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { Server, type Socket } from 'socket.io';
import { expect, it, onTestFinished } from 'vitest';
import { sensorSocket } from '../testing/socketio-client.ts';
import { socketIoChannel } from './socketio-channel.ts';

it('socketIoChannel forgets callbacks that a connected device never calls once their commands are late', async () => {
	const http = createServer();
	const io = new Server(http, { path: '/ingest/socket.io' });
	onTestFinished(() => void io.close());
	const sockets: Socket[] = [];
	io.on('connection', (socket) => sockets.push(socket));
	const client = await sensorSocket(`http://127.0.0.1:${await listen(http, 0, '127.0.0.1')}`, {});
	const received: string[] = [];
	client.on('command', ({ id }, done) => {
		received.push(id);
		if (id === 'answered') done?.({ ok: true });
	});
	const socket = await waitFor('the connection', () => sockets[0]);
	const channel = socketIoChannel(socket, { id: 'd1', domainName: 'acme' });
	const answers: string[] = [];
	const send = (id: string) => {
		const command: CommandToDevice = { id, sensorId: 's', name: 'identify', deadline: Date.now() + 50, ttlMs: 50 };
		channel.send(command, ({ outcome }) => answers.push(`${id} ${outcome}`));
	};
	const { acks } = socket as unknown as { acks: Map<number, unknown> };
	// A command that cannot be written at this moment is dropped.
	await waitFor('a command to arrive', () => {
		send('ignored');
		return received.includes('ignored');
	});
	expect(acks.size).toBeGreaterThan(0);
	await waitFor('the callbacks to be forgotten', () => acks.size === 0);
	await waitFor('an answer', () => {
		send('answered');
		return answers.length > 0;
	});
	await waitFor('the other callbacks to be forgotten', () => acks.size === 0);
	expect(new Set(answers)).toEqual(new Set(['answered executed']));
	expect(client.connected).toBe(true);
});
