import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../logger.ts';
import { createApp, express, finishApp, jsonBody } from './app.ts';
import { boundedBody, MAX_BODY_BYTES } from './bounded-body.ts';
import { closeServer, createServer, listen } from './server.ts';

let server: ReturnType<typeof createServer>;
let port: number;
/** Set while a test must be sure that no handler got a body. */
let taken: unknown[];

beforeEach(async () => {
	taken = [];
	const app = createApp();
	app.post('/json', jsonBody(), (request, response) => {
		taken.push(request.body);
		response.json({ ok: true });
	});
	app.post('/small', jsonBody(64 * 1024), (_request, response) => void response.json({ ok: true }));
	app.post('/raw', boundedBody(express.raw({ type: () => true, limit: MAX_BODY_BYTES })), (request, response) => {
		response.json({ bytes: (request.body as Buffer).length });
	});
	app.post('/unread', (_request, response) => void response.status(401).json({ error: 'sign in' }));
	finishApp(app, createLogger('test', 'silent'));
	server = createServer(app);
	port = await listen(server, 0, '127.0.0.1');
});
afterEach(() => closeServer(server, 100));

const CHUNK = Buffer.alloc(16 * 1024, 'a');
const chunk = (data: Buffer) =>
	Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
const head = (path: string, ...headers: string[]) =>
	`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers.join('\r\n')}\r\n\r\n`;

/** Sends chunks for ever, one after the other, until the server ends the connection. */
async function sendEndlessly(path: string, { pauseAfter = Number.POSITIVE_INFINITY, headers = [] as string[] } = {}) {
	const socket = connect(port, '127.0.0.1');
	let answer = '';
	let sentAtAnswer: number | undefined;
	let sent = 0;
	socket.on('error', () => {});
	socket.on('data', (data) => {
		answer += data;
		sentAtAnswer ??= sent;
	});
	// `once` would reject at the reset that follows what is sent after the end.
	const ended = new Promise((resolve) => socket.once('close', resolve));
	socket.write(head(path, 'Transfer-Encoding: chunked', ...headers));
	const send = () => {
		while (!socket.destroyed && socket.writable && sent < pauseAfter) {
			sent += CHUNK.length;
			if (!socket.write(chunk(CHUNK))) break;
		}
	};
	socket.on('drain', send);
	send();
	await ended;
	return { answer, sentAtAnswer };
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe('P14 an endless chunked body', () => {
	it.each(['/json', '/small', '/raw'])(
		'is answered with 413 at the bound of %s, and the connection closed',
		async (path) => {
			const { answer, sentAtAnswer } = await sendEndlessly(path);
			expect(statusOf(answer)).toBe(413);
			expect(answer).toContain('Connection: close');
			expect(answer).toContain(path === '/small' ? 'larger than 64 KiB' : 'larger than 1 MiB');
			// The rest is in the buffers of both sockets.
			expect(sentAtAnswer).toBeLessThan(16 * MAX_BODY_BYTES);
			expect(taken).toEqual([]);
		},
	);

	it('is answered at the bound also by a sender that then pauses and never ends it', async () => {
		const { answer } = await sendEndlessly('/json', { pauseAfter: MAX_BODY_BYTES + CHUNK.length });
		expect(statusOf(answer)).toBe(413);
	});

	it('is not read on after an answer that needs no body', async () => {
		const { answer } = await sendEndlessly('/unread');
		expect(statusOf(answer)).toBe(401);
		expect(answer).toContain('Connection: close');
		expect(statusOf((await sendEndlessly('/nowhere')).answer)).toBe(404);
	});

	it('is not read on where its compression cannot be read', async () => {
		const { answer } = await sendEndlessly('/json', { headers: ['Content-Encoding: gzip'] });
		expect(statusOf(answer)).toBeGreaterThanOrEqual(400);
		expect(statusOf(answer)).toBeLessThan(500);
	});
});

/** Sends `parts` and returns what arrives until `count` answers are whole, or the connection ends. */
async function exchange(socket: Socket, text: string | Buffer): Promise<string> {
	socket.write(text);
	const [data] = (await once(socket, 'data')) as [Buffer];
	return data.toString();
}

describe('a body', () => {
	let socket: Socket;
	beforeEach(() => {
		socket = connect(port, '127.0.0.1');
	});
	afterEach(() => socket.destroy());

	it('is refused by its Content-Length before any of it was sent', async () => {
		const ended = once(socket, 'close');
		const answer = await exchange(socket, head('/json', `Content-Length: ${MAX_BODY_BYTES + 1}`));
		expect(statusOf(answer)).toBe(413);
		await ended;
	});

	it('of chunks within the bound is taken, and the connection goes on', async () => {
		const body = chunk(Buffer.from('{"a":1}'));
		const request = Buffer.concat([
			Buffer.from(head('/json', 'Transfer-Encoding: chunked')),
			body,
			Buffer.from('0\r\n\r\n'),
		]);
		for (let n = 0; n < 2; n++) {
			const answer = await exchange(socket, request);
			expect([statusOf(answer), answer.includes('Connection: close')]).toEqual([200, false]);
		}
		expect(taken).toEqual([{ a: 1 }, { a: 1 }]);
	});

	it('of a stated length that an answer did not need leaves the connection open', async () => {
		for (let n = 0; n < 2; n++) {
			const answer = await exchange(socket, `${head('/unread', 'Content-Length: 7')}{"a":1}`);
			expect([statusOf(answer), answer.includes('Connection: close')]).toEqual([401, false]);
		}
	});

	it('is refused that inflates beyond the bound', async () => {
		const bomb = gzipSync(Buffer.alloc(8 * MAX_BODY_BYTES, ' '));
		const answer = await exchange(
			socket,
			Buffer.concat([Buffer.from(head('/json', 'Content-Encoding: gzip', `Content-Length: ${bomb.length}`)), bomb]),
		);
		expect(statusOf(answer)).toBe(413);
	});
});
