import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from './processes.ts';
import { type ServerInFolder, startInFolder, withUrl } from './server-in-folder.ts';

export interface Mosquitto extends ServerInFolder {
	readonly url: string;
}

/**
 * A real Mosquitto on a free loopback port, open to everybody. `config` is appended to its mosquitto.conf; `{dir}` in
 * it is a folder that lives as long as the broker.
 * @throws when mosquitto is not installed, or does not accept its configuration; with what it said.
 */
export async function startMosquitto({ config = '' }: { config?: string } = {}): Promise<Mosquitto> {
	const program = findProgram('mosquitto');
	if (!program) throw new Error('mosquitto is not installed');
	const server = await startInFolder('mosquitto', {
		program,
		args: async (dir, port) => {
			const file = join(dir, 'mosquitto.conf');
			// As root Mosquitto would become another user, who may not enter this folder.
			const lines = [
				`listener ${port} 127.0.0.1`,
				'allow_anonymous true',
				'user root',
				'log_dest stderr',
				config.replaceAll('{dir}', dir),
				'',
			];
			await writeFile(file, lines.join('\n'));
			return ['-c', file];
		},
		ready: /mosquitto version \S+ running/,
	});
	return withUrl(server, `mqtt://127.0.0.1:${server.port}`);
}
