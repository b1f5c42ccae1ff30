import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { type Running, start } from './processes.ts';
import { waitFor } from './wait.ts';

/** A program on a free loopback port with a folder of its own. */
export interface ServerInFolder {
	readonly port: number;
	readonly dir: string;
	/** Of the present run: another after `restart`. */
	readonly pid: number;
	/** What it said on stderr in the present run. */
	log(): string;
	/**
	 * Sends a signal (default SIGKILL) and resolves when the process has ended; for SIGSTOP when all its threads stand
	 * still, for SIGCONT at once.
	 */
	kill(signal?: NodeJS.Signals): Promise<void>;
	/** Starts it again on the same port, with the same folder; ends a running one first. */
	restart(): Promise<void>;
	/** Ends it and removes its folder. */
	stop(): Promise<void>;
}

export interface ServerProgram {
	program: string;
	/** Given its folder and port: its arguments. What it needs in the folder is made here. */
	args(dir: string, port: number): string[] | Promise<string[]>;
	/** What it says when it can be used. */
	ready: RegExp;
	timeoutMs?: number;
}

/** @throws when it ends before it is ready; with what it said. */
export async function startInFolder(
	name: string,
	{ program, args, ready, timeoutMs }: ServerProgram,
): Promise<ServerInFolder> {
	const dir = await mkdtemp(join(tmpdir(), `crowdvision-${name}-`));
	const remove = () => rm(dir, { recursive: true, force: true });
	let running: Running;
	let port: number;
	let launch: () => Promise<Running>;
	try {
		port = await freePort();
		const given = await args(dir, port);
		launch = () => start(program, { args: given, cwd: dir, ready, ...(timeoutMs !== undefined && { timeoutMs }) });
		running = await launch();
	} catch (error) {
		await remove();
		throw error;
	}
	return {
		port,
		dir,
		get pid() {
			return running.pid;
		},
		log: () => running.stderr(),
		kill: async (signal = 'SIGKILL') => {
			if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') return void (await running.kill(signal));
			running.signal(signal);
			if (signal === 'SIGSTOP') await waitFor('a stopped process', () => standsStill(running.pid));
		},
		restart: async () => {
			await running.kill();
			running = await launch();
		},
		stop: async () => {
			await running.kill();
			await remove();
		},
	};
}

/** A busy machine lets the threads of a process run on for a while after SIGSTOP. */
async function standsStill(pid: number): Promise<boolean> {
	const threads = await readdir(`/proc/${pid}/task`);
	const states = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')));
	// The state follows the name, which stands in brackets and may hold any character.
	return states.every((stat) => /^T/.test(stat.slice(stat.lastIndexOf(')') + 2)));
}

/** The same server, also by its URL. `pid` stays that of the present run. */
export function withUrl<S extends ServerInFolder>(server: S, url: string): S & { readonly url: string } {
	return Object.assign(server, { url });
}
