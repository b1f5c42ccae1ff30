import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { calledBy, watchConnections } from './connections.ts';
import { waitFor } from './wait.ts';

const opened: (Server | Socket)[] = [];
afterEach(() => {
	for (const one of opened.splice(0)) 'destroy' in one ? one.destroy() : one.close();
});

async function listening(host: string): Promise<number> {
	const server = createServer((socket) => opened.push(socket)).listen(0, host);
	opened.push(server);
	await once(server, 'listening');
	return (server.address() as { port: number }).port;
}

it('the connection watch reports whom a process called, not who called it', async () => {
	const port = await listening('127.0.0.1');
	const before = calledBy(process.pid);
	const socket = connect(port, '127.0.0.1');
	opened.push(socket);
	await once(socket, 'connect');
	const called = calledBy(process.pid).filter((one) => !before.includes(one));
	expect(called).toEqual([port]);
});

it('the connection watch remembers a connection that ended', async () => {
	const port = await listening('127.0.0.1');
	const watch = watchConnections([{ name: 'this', pid: process.pid }]);
	const socket = connect(port, '127.0.0.1');
	opened.push(socket);
	await waitFor('the connection to be seen', () => watch.seen.get('this')!.has(port));
	socket.destroy();
	await waitFor('the connection to be gone', () => !calledBy(process.pid).includes(port));
	watch.stop();
	expect(watch.seen.get('this')).toContain(port);
});

it('the connection watch reports nothing for a process that does not exist', () => {
	expect(calledBy(2 ** 22 + 1)).toEqual([]);
});
