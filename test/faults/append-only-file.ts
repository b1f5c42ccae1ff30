import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisServer } from '@crowdvision/testing/redis-server';
import { expect } from 'vitest';

/**
 * Cuts the last `bytes` off the file Redis appends to: as a power cut does, it ends somewhere in the middle of a
 * transaction.
 */
export async function cutAppendOnlyFile({ dir }: RedisServer, bytes: number): Promise<void> {
	const folder = join(dir, 'appendonlydir');
	const numberOf = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? -1);
	const [newest] = (await readdir(folder)).sort((a, b) => numberOf(b) - numberOf(a));
	const file = join(folder, newest!);
	const { size } = await stat(file);
	expect(size).toBeGreaterThan(bytes);
	await truncate(file, size - bytes);
}
