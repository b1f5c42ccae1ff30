import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { ROOT } from './root.ts';

export interface StartOptions {
	args?: string[];
	/**
	 * Added to this process's environment and to NO_COLOR=1 (colour codes would break `ready`); undefined removes one.
	 */
	env?: Record<string, string | undefined>;
	cwd?: string;
	/** What its output (stdout or stderr) must say before it counts as started. */
	ready?: RegExp;
	/** How long `ready` and `stop` may take. Default 20 s. */
	timeoutMs?: number;
}

export interface Exit {
	code: number | null;
	signal: NodeJS.Signals | null;
}

/** A running child process. However its parent ends, it ends too. */
export interface Running {
	readonly pid: number;
	/** The match of `ready`; empty where none was asked for. */
	readonly ready: string[];
	/** Resolves when it has ended, for whatever reason. */
	readonly exited: Promise<Exit>;
	/** What it has printed so far, the last MiB of each. */
	stdout(): string;
	stderr(): string;
	/** Sends a signal, SIGKILL unless told, and resolves when the process has ended. */
	kill(signal?: NodeJS.Signals): Promise<Exit>;
	/** SIGTERM, then SIGKILL after `timeoutMs`. */
	stop(): Promise<Exit>;
	/** Sends a signal and does not wait, for SIGSTOP and SIGCONT. */
	signal(signal: NodeJS.Signals): void;
	/**
	 * Resolves with the match when its output, from the start on, matches; rejects after `timeoutMs` or when it ends
	 * first.
	 */
	waitFor(pattern: RegExp, timeoutMs?: number): Promise<string[]>;
}

const KEPT = 1 << 20;
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const alive = new Set<ChildProcess>();

process.on('exit', () => {
	for (const child of alive) child.kill('SIGKILL');
});

/** The path of a program, looked for where daemons live too; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
	const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
	return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The kernel ends such a child even when this process is killed -9. */
const dieWithParent = process.platform === 'linux' ? findProgram('setpriv') : undefined;

/** Starts an entry point under the Node that runs this. `entry` is a path, from the repository's root if relative. */
export function startNode(entry: string, options: StartOptions = {}): Promise<Running> {
	return start(process.execPath, { ...options, args: [resolve(ROOT, entry), ...(options.args ?? [])] });
}

/**
 * Starts a program and waits until it is ready.
 * @throws with everything it printed, when it ends or stays silent before it is ready.
 */
export async function start(program: string, options: StartOptions = {}): Promise<Running> {
	const { args = [], timeoutMs = 20_000, ready } = options;
	const [command, ...prefix] = dieWithParent ? [dieWithParent, '--pdeathsig', 'KILL', program] : [program];
	const child = spawn(command!, [...prefix, ...args], {
		cwd: options.cwd ?? ROOT,
		env: { ...process.env, NO_COLOR: '1', ...options.env },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const running = watch(child, `${program} ${args.join(' ')}`, timeoutMs);
	if (!ready) return running;
	try {
		return Object.assign(running, { ready: await running.waitFor(ready, timeoutMs) });
	} catch (error) {
		await running.kill();
		throw error;
	}
}

function watch(child: ChildProcess, name: string, timeoutMs: number): Running {
	const output = { stdout: '', stderr: '' };
	const heard = new Set<() => void>();
	alive.add(child);
	for (const stream of ['stdout', 'stderr'] as const) {
		child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
			output[stream] = (output[stream] + chunk).slice(-KEPT);
			for (const look of heard) look();
		});
	}
	let ended: Exit | undefined;
	const exited = new Promise<Exit>((resolve) => {
		const end = (exit: Exit) => {
			ended = exit;
			alive.delete(child);
			resolve(exit);
			for (const look of heard) look();
		};
		child.once('close', (code, signal) => end({ code, signal }));
		child.once('error', (error) => {
			output.stderr += `${error.message}\n`;
			if (child.pid === undefined) end({ code: null, signal: null });
		});
	});
	const said = () => `--- stdout\n${output.stdout}\n--- stderr\n${output.stderr}`;
	const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
		child.kill(signal);
		return exited;
	};
	return {
		pid: child.pid ?? -1,
		ready: [],
		exited,
		stdout: () => output.stdout,
		stderr: () => output.stderr,
		kill,
		signal: (signal) => void child.kill(signal),
		async stop() {
			const force = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
			try {
				return await kill('SIGTERM');
			} finally {
				clearTimeout(force);
			}
		},
		waitFor: (pattern, patience = timeoutMs) =>
			new Promise((resolve, reject) => {
				const settle = (finish: () => void) => {
					clearTimeout(timer);
					heard.delete(look);
					finish();
				};
				const look = () => {
					const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
					if (match) settle(() => resolve([...match]));
					else if (ended)
						settle(() =>
							reject(new Error(`${name} ended (${ended?.signal ?? ended?.code}) before it said ${pattern}\n${said()}`)),
						);
				};
				const timer = setTimeout(
					() => settle(() => reject(new Error(`${name} did not say ${pattern} in ${patience} ms\n${said()}`))),
					patience,
				);
				heard.add(look);
				look();
			}),
	};
}
