import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { closeServer, listen } from '@crowdvision/service-kit';

/** What an upstream was asked, as it arrived there. */
export interface Asked {
	method: string;
	path: string;
	headers: IncomingMessage['headers'];
	body: string;
}

/** A plain HTTP server on a loopback port, for tests of what stands in front of one. */
export interface Upstream {
	readonly name: string;
	/** As `127.0.0.1:20123`. */
	readonly address: string;
	/** Everything it was asked, but for health checks. */
	readonly asked: Asked[];
	readonly server: Server;
	/** Ends it, connections too. The address stays known, for `restart`. */
	kill(): Promise<void>;
	restart(): Promise<void>;
}

type Answering = (asked: Asked, response: ServerResponse) => void;

/** Answers with `{name, method, path, headers, body}` unless told otherwise; `/healthz` always with 200. */
export async function startUpstream(
	name: string,
	answer: Answering = (asked, response) => json(response, { name, ...asked }),
): Promise<Upstream> {
	const asked: Asked[] = [];
	const server = () =>
		createServer((request, response) => {
			if (request.url === '/healthz') return void json(response, { status: 'ok' });
			let body = '';
			request.setEncoding('utf8').on('data', (piece: string) => {
				body += piece;
			});
			request.on('end', () => {
				const one: Asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
				asked.push(one);
				answer(one, response);
			});
		});
	let running = server();
	const port = await listen(running, 0, '127.0.0.1');
	return {
		name,
		address: `127.0.0.1:${port}`,
		asked,
		get server() {
			return running;
		},
		kill: () => closeServer(running, 0),
		restart: async () => {
			running = server();
			await listen(running, port, '127.0.0.1');
		},
	};
}

function json(response: ServerResponse, body: object): void {
	response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}
