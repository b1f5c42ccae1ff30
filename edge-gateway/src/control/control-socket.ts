import { chmodSync, closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { SettingsError } from '@crowdvision/service-kit';

/** A path of a socket may have so many bytes (sun_path of Linux has 108, of others 104). */
const LONGEST_PATH = 100;

/** Where the local door of a gateway is. */
export function controlSocketPath(dataDir: string): string {
	return join(dataDir, 'gateway', 'why.sock');
}

/** What is answered at each path, from the query of what is asked. What they throw is told to who asks. */
export type ControlAnswers = Record<string, (query: URLSearchParams) => Promise<unknown>>;

/**
 * A door for commands on this machine, such as `why`: a socket in the data folder that only the gateway's own user may
 * open (mode 0600). Who may open it may do what the gateway's owner may, and nobody needs a token for it.
 */
export class ControlSocket {
	readonly #path: string;
	readonly #answers: ReadonlyMap<string, ControlAnswers[string]>;
	#server: Server | undefined;

	constructor(path: string, answers: ControlAnswers) {
		this.#path = path;
		this.#answers = new Map(Object.entries(answers));
	}

	/** Resolves when it is open. @throws what the system says, where it cannot be opened. */
	async open(): Promise<void> {
		mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
		// What a gateway that was killed has left.
		rmSync(this.#path, { force: true });
		const server = createServer((asked, response) => {
			this.#answerTo(asked.url ?? '/').then(
				(answer) => response.setHeader('content-type', 'application/json').end(JSON.stringify(answer)),
				(error: Error) => {
					response.statusCode = 400;
					response
						.setHeader('content-type', 'application/json')
						.end(JSON.stringify({ error: { code: 'bad_request', message: error.message } }));
				},
			);
		});
		const way = reachable(this.#path);
		try {
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject);
				server.listen(way.path, () => resolve());
			});
		} catch (error) {
			way.release();
			throw error;
		}
		// By the same path the server removes the socket when it closes.
		server.once('close', way.release);
		chmodSync(this.#path, 0o600);
		this.#server = server;
	}

	async close(): Promise<void> {
		const server = this.#server;
		this.#server = undefined;
		if (!server) return;
		server.closeAllConnections();
		await new Promise<void>((resolve) => server.close(() => resolve()));
		rmSync(this.#path, { force: true });
	}

	async #answerTo(asked: string): Promise<unknown> {
		const url = URL.parse(asked, 'http://local');
		const answer = url && this.#answers.get(url.pathname);
		if (!answer)
			throw new Error(
				`The gateway that runs here knows nothing of ${url?.pathname ?? asked}: it is of another version`,
			);
		return answer(url.searchParams);
	}
}

/**
 * Asks the gateway whose door this is. Undefined where there is none, or nobody answers at it.
 * @throws SettingsError with what the gateway says against it.
 */
export function askGateway(path: string, asked: string): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const way = reachable(path);
		const call = request({ socketPath: way.path, path: asked, timeout: 30_000 }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (chunk: string) => {
				text += chunk;
			});
			response.on('end', () => {
				const answer = JSON.parse(text) as { error?: { message: string } };
				if (response.statusCode === 200) resolve(answer);
				else reject(new SettingsError(answer.error?.message ?? `the gateway answered ${response.statusCode}`));
			});
		});
		call.on('close', way.release);
		call.on('timeout', () => call.destroy(new Error('the gateway does not answer')));
		call.on('error', (error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
			else reject(error);
		});
		call.end();
	});
}

/** A path that is too long for a socket, by way of its folder held open (Linux), until it is released. */
function reachable(path: string): { path: string; release(): void } {
	if (Buffer.byteLength(path) <= LONGEST_PATH) return { path, release: () => undefined };
	try {
		const folder = openSync(dirname(path), 'r');
		return { path: `/proc/self/fd/${folder}/why.sock`, release: () => closeSync(folder) };
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT')
			return { path: path.slice(0, LONGEST_PATH), release: () => undefined };
		throw error;
	}
}
