import { findProgram } from './processes.ts';
import { type ServerInFolder, startInFolder, withUrl } from './server-in-folder.ts';

export interface RedisServerOptions {
	/** When Redis writes its append-only file through to the disk; 'no' (the default) keeps nothing across a restart. */
	appendonly?: 'always' | 'everysec' | 'no';
	/** Further arguments, such as `['--maxmemory', '10mb']`. */
	extra?: string[];
}

export interface RedisServer extends ServerInFolder {
	readonly url: string;
}

/** The path of redis-server; undefined when it is not installed. */
const findRedis = () => findProgram('redis-server');

/**
 * A real redis-server on a free loopback port, ready when it has loaded what its folder holds.
 * @throws when redis-server is not installed, or ends before it is ready; with what it said.
 */
export async function startRedis({ appendonly = 'no', extra = [] }: RedisServerOptions = {}): Promise<RedisServer> {
	const program = findRedis();
	if (!program) throw new Error('redis-server is not installed; on Debian: apt-get install redis-server');
	const server = await startInFolder('redis', {
		program,
		args: (dir, port) => [
			...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--daemonize', 'no'],
			...['--appendonly', appendonly === 'no' ? 'no' : 'yes', '--appendfsync', appendonly, ...extra],
		],
		ready: /Ready to accept connections/,
	});
	return withUrl(server, `redis://127.0.0.1:${server.port}`);
}
