import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeProcessLock } from './process-lock.ts';

const PATIENCE_MS = 200;

let dir: string;
let path: string;
let holder: Running | undefined;
beforeEach(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-lock-'));
	path = join(dir, 'lock');
});
afterEach(async () => {
	await holder?.kill();
	holder = undefined;
	rmSync(dir, { recursive: true });
});

/** A process that holds the lock until it is killed. */
const hold = () => startNode('packages/service-kit/src/testing/lock-holder.ts', { args: [path], ready: /^holding/m });

describe('P15 the lock of a data folder', () => {
	it('refuses a second process and names the first; after a kill -9 nothing has to be removed', async () => {
		holder = await hold();
		expect(() => takeProcessLock(path, 'the folder', PATIENCE_MS)).toThrow(
			new RegExp(`^the folder is in use by process ${holder.pid} \\(lock-holder.ts on .+\\); only one process`),
		);
		await holder.kill();
		const lock = takeProcessLock(path, 'the folder', PATIENCE_MS);
		expect(statSync(path).mode & 0o777).toBe(0o600);
		lock.release();
		takeProcessLock(path, 'the folder', PATIENCE_MS).release();
	});

	it('holds also while its file is damaged or emptied, and a damaged file is no obstacle later', async () => {
		holder = await hold();
		for (const bytes of ['garbage '.repeat(1000), '']) {
			writeFileSync(path, bytes);
			expect(() => takeProcessLock(path, 'the folder', PATIENCE_MS)).toThrow('the folder is in use by');
		}
		await holder.kill();
		writeFileSync(path, 'garbage '.repeat(1000));
		takeProcessLock(path, 'the folder', PATIENCE_MS).release();
	});

	it('goes to exactly one of many processes that start at once', async () => {
		const started = await Promise.allSettled(Array.from({ length: 4 }, hold));
		const held = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
		expect(held).toHaveLength(1);
		holder = held[0];
	});
});
