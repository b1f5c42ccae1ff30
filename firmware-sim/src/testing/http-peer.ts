import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { httpLink } from '../links/http.ts';
import type { DeviceReading } from '../reading.ts';
import { CREDENTIALS, type Peer } from './peer.ts';

export interface HttpAnswer {
	status: number;
	headers?: Record<string, string>;
	body?: string;
}

export interface HttpPeer extends Peer {
	readonly url: string;
	/** Times of the requests, ms. */
	readonly requestedAt: number[];
	/** Decides the answer to a reading; undefined means no answer. Only a 202 counts as accepted. */
	answer: (reading: DeviceReading) => HttpAnswer | undefined;
}

const ACCEPTED: HttpAnswer = { status: 202, body: '{"accepted":1}' };

/** `POST /ingest` with a bearer token, on a node:http server. */
export async function httpPeer(): Promise<HttpPeer> {
	let server: Server | undefined;
	let port = 0;
	const peer: HttpPeer = {
		accepted: [],
		requestedAt: [],
		answer: () => ACCEPTED,
		get url() {
			return `http://127.0.0.1:${port}`;
		},
		link: () => httpLink(peer.url, CREDENTIALS),
		async start() {
			const started = createServer((request, response) => void handle(peer, request, response));
			await new Promise<void>((resolve, reject) => started.once('error', reject).listen(port, '127.0.0.1', resolve));
			port = (started.address() as AddressInfo).port;
			server = started;
		},
		async stop() {
			const stopped = server;
			server = undefined;
			if (!stopped) return;
			const closed = new Promise<void>((resolve) => stopped.close(() => resolve()));
			stopped.closeAllConnections();
			await closed;
		},
		close: () => peer.stop(),
	};
	await peer.start();
	return peer;
}

async function handle(peer: HttpPeer, request: IncomingMessage, response: ServerResponse): Promise<void> {
	peer.requestedAt.push(performance.now());
	if (
		request.method !== 'POST' ||
		request.url !== '/ingest' ||
		request.headers['content-type'] !== 'application/json'
	) {
		return void response.writeHead(404).end();
	}
	if (request.headers.authorization !== `Bearer ${CREDENTIALS.token}`) return void response.writeHead(401).end();
	const body = await request.toArray().catch(() => undefined);
	if (!body) return;
	const reading = JSON.parse(Buffer.concat(body as Buffer[]).toString()) as DeviceReading;
	const answer = peer.answer(reading);
	if (!answer) return;
	if (answer.status === 202) peer.accepted.push(reading);
	response.writeHead(answer.status, answer.headers).end(answer.body);
}
