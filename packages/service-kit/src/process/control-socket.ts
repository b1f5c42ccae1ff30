/** The control socket of a process, and how a command on this machine asks through it. */
import { chmodSync, closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { dirname } from 'node:path';
import { SettingsError } from './settings.ts';

/** Most bytes in the path of a Unix socket (`sun_path`: 108 on Linux, 104 elsewhere), with some to spare. */
const MAX_PATH_BYTES = 100;
const TIMEOUT_MS = 30_000;

/** The answer at each path, from the query of the request. The message of an error they throw is sent to the caller. */
export type ControlAnswers = Record<string, (query: URLSearchParams) => Promise<unknown>>;

/**
 * The control socket: HTTP over a Unix socket in the data folder, for commands on this machine such as `why`. Only the
 * process's own user can open it (mode 0600), and may then do everything without a token.
 */
export class ControlSocket {
	readonly #path: string;
	readonly #answers: ReadonlyMap<string, ControlAnswers[string]>;
	#server: Server | undefined;

	constructor(path: string, answers: ControlAnswers) {
		this.#path = path;
		this.#answers = new Map(Object.entries(answers));
	}

	/** Resolves when it is open. @throws the system's error if it cannot be opened */
	async open(): Promise<void> {
		mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
		// A killed process leaves its socket behind.
		rmSync(this.#path, { force: true });
		const server = createServer((incoming, response) => {
			this.#answer(incoming.url ?? '/').then(
				(answer) => response.setHeader('content-type', 'application/json').end(JSON.stringify(answer)),
				(error: Error) => {
					response.statusCode = 400;
					response
						.setHeader('content-type', 'application/json')
						.end(JSON.stringify({ error: { code: 'bad_request', message: error.message } }));
				},
			);
		});
		const socket = reachable(this.#path);
		try {
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject);
				server.listen(socket.path, () => resolve());
			});
		} catch (error) {
			socket.release();
			throw error;
		}
		// The server removes the socket by the same path when it closes, so the path must be valid until then.
		server.once('close', socket.release);
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

	async #answer(requested: string): Promise<unknown> {
		const url = URL.parse(requested, 'http://local');
		const answer = url && this.#answers.get(url.pathname);
		if (!answer)
			throw new Error(
				`The running process does not know the request ${url?.pathname ?? requested}: its version differs`,
			);
		return answer(url.searchParams);
	}
}

/**
 * Sends a request to the process whose control socket this is. Undefined if there is no socket, or nothing listens.
 * @param requested path and query
 * @throws SettingsError with the process's message if it answers with an error
 */
export function askControlSocket(path: string, requested: string): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const socket = reachable(path);
		const call = request({ socketPath: socket.path, path: requested, timeout: TIMEOUT_MS }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (chunk: string) => {
				text += chunk;
			});
			response.on('end', () => {
				const answer = JSON.parse(text) as { error?: { message: string } };
				if (response.statusCode === 200) resolve(answer);
				else reject(new SettingsError(answer.error?.message ?? `the running process answered ${response.statusCode}`));
			});
		});
		call.on('close', socket.release);
		call.on('timeout', () => call.destroy(new Error('the running process does not answer')));
		call.on('error', (error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
			else reject(error);
		});
		call.end();
	});
}

/** A path by which a socket can be opened: a path that is too long goes through its open folder (Linux only). */
function reachable(path: string): { path: string; release(): void } {
	if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return { path, release: () => undefined };
	try {
		const folder = openSync(dirname(path), 'r');
		return { path: `/proc/self/fd/${folder}/why.sock`, release: () => closeSync(folder) };
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT')
			return { path: path.slice(0, MAX_PATH_BYTES), release: () => undefined };
		throw error;
	}
}
