import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findProgram, type Running, start } from './processes.ts';

export interface RedisServerOptions {
	/** When Redis writes its append-only file through to the disk; 'no' (the default) keeps nothing across a restart. */
	appendonly?: 'always' | 'everysec' | 'no';
	/** Further arguments, such as `['--maxmemory', '10mb']`. */
	extra?: string[];
}

export interface RedisServer {
	readonly url: string;
	readonly port: number;
	readonly dir: string;
	/** Of the running process; another one after `restart`. */
	readonly pid: number;
	/** Sends a signal (default SIGKILL) and resolves when the process has ended; at once for SIGSTOP and SIGCONT. */
	kill(signal?: NodeJS.Signals): Promise<void>;
	/** Starts it again on the same port, with the same folder; ends a running one first. */
	restart(): Promise<void>;
	/** Ends it and removes its folder. */
	stop(): Promise<void>;
}

/** The path of redis-server; undefined when it is not installed. */
export const findRedis = () => findProgram('redis-server');

/**
 * A real redis-server on a free loopback port, ready when it has loaded what its folder holds.
 * @throws when redis-server is not installed, or ends before it is ready; with what it said.
 */
export async function startRedis({ appendonly = 'no', extra = [] }: RedisServerOptions = {}): Promise<RedisServer> {
	const program = findRedis();
	if (!program) throw new Error('redis-server is not installed; on Debian: apt-get install redis-server');
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-redis-'));
	const port = await freePort();
	const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--daemonize', 'no'];
	args.push('--appendonly', appendonly === 'no' ? 'no' : 'yes', '--appendfsync', appendonly, ...extra);
	const launch = () => start(program, { args, cwd: dir, ready: /Ready to accept connections/ });
	let running: Running;
	try {
		running = await launch();
	} catch (error) {
		await rm(dir, { recursive: true, force: true });
		throw error;
	}
	return {
		url: `redis://127.0.0.1:${port}`,
		port,
		dir,
		get pid() {
			return running.pid;
		},
		kill: async (signal = 'SIGKILL') => {
			if (signal === 'SIGSTOP' || signal === 'SIGCONT') running.signal(signal);
			else await running.kill(signal);
		},
		restart: async () => {
			await running.kill();
			running = await launch();
		},
		stop: async () => {
			await running.kill();
			await rm(dir, { recursive: true, force: true });
		},
	};
}
