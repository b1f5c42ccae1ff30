import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findProgram, type Running, start } from './processes.ts';
import { ROOT } from './root.ts';
import { waitFor } from './wait.ts';

export interface CaddyServer {
	/** As `https://localhost:8443`. */
	readonly url: string;
	/** As `http://localhost:8080`; only redirects. */
	readonly httpUrl: string;
	readonly pid: number;
	/** PEM of the certificate that signed the site's: what a client must trust. */
	readonly ca: string;
	/** Path of the same, for NODE_EXTRA_CA_CERTS and `curl --cacert`. */
	readonly caFile: string;
	/** Everything it has logged. */
	log(): string;
	/** Requests a path over TLS. Does not follow redirects. */
	ask(method: string, path: string, options?: Ask): Promise<Answer>;
	/** Ends it at once (kill -9). The ports and the certificates stay, for `restart`. */
	kill(): Promise<void>;
	restart(): Promise<void>;
	/** Ends it and removes its folder. */
	stop(): Promise<void>;
}

export interface Ask {
	headers?: Record<string, string>;
	body?: string | Buffer;
	/** Sends the body without saying its length. */
	chunked?: boolean;
	/** Called with each piece of the body as it comes. */
	onData?: (piece: string) => void;
}

export interface Answer {
	status: number;
	headers: IncomingHttpHeaders;
	text: string;
	/** Undefined for what is not JSON. */
	json: unknown;
}

/** The path of caddy; undefined when it is not installed. */
export const findCaddy = () => process.env.CADDY || findProgram('caddy');

/**
 * The repository's Caddyfile in a real Caddy, on free loopback ports, with an authority of its own. `env` names
 * upstreams and folders.
 * @throws when caddy is not installed, or does not take its configuration; with what it said.
 */
export async function startCaddy(env: Record<string, string> = {}): Promise<CaddyServer> {
	const program = findCaddy();
	if (!program) throw new Error('caddy is not installed; on Debian: apt-get install caddy');
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-caddy-'));
	const [httpPort, httpsPort] = [await freePort(), await freePort()];
	const caFile = join(dir, 'caddy', 'pki', 'authorities', 'local', 'root.crt');
	const launch = () =>
		start(program, {
			args: ['run', '--config', join(ROOT, 'Caddyfile'), '--adapter', 'caddyfile'],
			env: {
				DOMAIN: 'localhost',
				BIND: '127.0.0.1',
				HTTP_PORT: `${httpPort}`,
				HTTPS_PORT: `${httpsPort}`,
				CADDY_ADMIN: 'off',
				XDG_DATA_HOME: dir,
				XDG_CONFIG_HOME: dir,
				...env,
			},
			ready: /serving initial configuration/,
		});
	const url = `https://localhost:${httpsPort}`;
	let running: Running | undefined;
	try {
		running = await launch();
		const ca = await waitFor("Caddy's authority", () => readFile(caFile, 'utf8'));
		const ask: CaddyServer['ask'] = (method, path, options) => askOverTls(`${url}${path}`, ca, method, options);
		// The site's own certificate is made after the start.
		await waitFor('Caddy to have a certificate', () => ask('GET', '/nothing-here'));
		return {
			url,
			httpUrl: `http://localhost:${httpPort}`,
			get pid() {
				return running!.pid;
			},
			ca,
			caFile,
			log: () => running!.stderr(),
			ask,
			kill: async () => void (await running!.kill()),
			restart: async () => {
				await running!.kill();
				running = await launch();
			},
			stop: async () => {
				await running!.kill();
				await rm(dir, { recursive: true, force: true });
			},
		};
	} catch (error) {
		await running?.kill();
		await rm(dir, { recursive: true, force: true });
		throw error;
	}
}

/** A path goes out as it is written: fetch would tidy it. */
function askOverTls(
	url: string,
	ca: string,
	method: string,
	{ headers = {}, body, chunked, onData }: Ask = {},
): Promise<Answer> {
	const { hostname, port } = new URL(url);
	const path = url.slice(new URL(url).origin.length);
	return new Promise((resolve, reject) => {
		const length = body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body) };
		const sent = request(
			{ hostname, port, path, method, ca, agent: false, timeout: 20_000, headers: { ...length, ...headers } },
			(response) => {
				let text = '';
				response.setEncoding('utf8');
				response.on('data', (piece: string) => {
					text += piece;
					onData?.(piece);
				});
				response.on('error', reject);
				response.on('end', () => {
					const isJson =
						response.headers['content-type']?.includes('json') && !response.headers['content-encoding'] && text !== '';
					resolve({
						status: response.statusCode ?? 0,
						headers: response.headers,
						text,
						json: isJson ? JSON.parse(text) : undefined,
					});
				});
			},
		);
		sent.on('timeout', () => sent.destroy(new Error(`${method} ${url}: no answer in 20 s`)));
		sent.on('error', reject);
		if (body !== undefined) sent.write(body);
		sent.end();
	});
}
