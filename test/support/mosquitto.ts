import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findProgram, type Running, start } from './processes.ts';

export interface Mosquitto {
	readonly port: number;
	readonly url: string;
	readonly pid: number;
	/** Everything it has logged. */
	log(): string;
	/** Ends it at once (kill -9), or gently with SIGTERM. The port stays known, for `restart`. */
	kill(signal?: NodeJS.Signals): Promise<void>;
	/** Starts it again on the same port, with the same folder. */
	restart(): Promise<void>;
	/** Ends it and removes its folder. */
	stop(): Promise<void>;
}

/**
 * A real Mosquitto on a free loopback port, open to everybody. `config` is appended to its mosquitto.conf; `{dir}` in it is a folder that
 * lives as long as the broker.
 * @throws when mosquitto is not installed, or does not accept its configuration; with what it said.
 */
export async function startMosquitto({ config = '' }: { config?: string } = {}): Promise<Mosquitto> {
	const program = findProgram('mosquitto');
	if (!program) throw new Error('mosquitto is not installed');
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-mosquitto-'));
	const file = join(dir, 'mosquitto.conf');
	const port = await freePort();
	// As root Mosquitto would become another user, who may not enter this folder.
	const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'user root', 'log_dest stderr', config.replaceAll('{dir}', dir), ''];
	await writeFile(file, lines.join('\n'));
	const launch = () => start(program, { args: ['-c', file], ready: /mosquitto version \S+ running/ });
	let running: Running;
	try {
		running = await launch();
	} catch (error) {
		await rm(dir, { recursive: true, force: true });
		throw error;
	}
	return {
		port,
		url: `mqtt://127.0.0.1:${port}`,
		get pid() {
			return running.pid;
		},
		log: () => running.stderr(),
		kill: async (signal = 'SIGKILL') => void (await running.kill(signal)),
		restart: async () => {
			await running.kill();
			running = await launch();
		},
		stop: async () => {
			await running.stop();
			await rm(dir, { recursive: true, force: true });
		},
	};
}
