import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { RedisServer } from '@crowdvision/testing/redis-server';
import { waitFor, within } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';

/** Everything a Redis holds, as the commands that make it (RESP): any version reads that. It must keep an AOF. */
export async function dumpRedis({ url, dir }: Pick<RedisServer, 'url' | 'dir'>): Promise<Buffer> {
	const redis = new Redis(url);
	try {
		await redis.config('SET', 'aof-use-rdb-preamble', 'no');
		await redis.bgrewriteaof();
		await waitFor('Redis to have written its commands down', async () => {
			const info = await redis.info('persistence');
			return /aof_rewrite_in_progress:0/.test(info) && /aof_rewrite_scheduled:0/.test(info);
		});
	} finally {
		redis.disconnect();
	}
	const folder = join(dir, 'appendonlydir');
	const base = (await readdir(folder)).find((name) => name.endsWith('.base.aof'));
	if (base === undefined) throw new Error('Redis has not written its commands down as commands');
	return readFile(join(folder, base));
}

const DONE = 'all commands were read';

/** Has an empty Redis carry them out. @throws Error with the first one that it refuses. */
export async function restoreRedis({ port }: Pick<RedisServer, 'port'>, commands: Buffer): Promise<void> {
	const socket = connect(port, '127.0.0.1');
	let replies = '';
	const done = new Promise<void>((resolve, reject) => {
		socket.setEncoding('utf8').on('data', (data: string) => {
			replies += data;
			if (replies.includes(DONE)) resolve();
		});
		socket.once('error', reject).once('close', () => reject(new Error(`Redis closed the connection: ${replies}`)));
	});
	socket.write(commands);
	socket.write(`*2\r\n$4\r\nECHO\r\n$${DONE.length}\r\n${DONE}\r\n`);
	try {
		await within('Redis', done);
	} finally {
		socket.destroy();
	}
	const refused = /^-.*$/m.exec(replies);
	if (refused) throw new Error(`Redis: ${refused[0]}`);
}
