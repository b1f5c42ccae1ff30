import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@crowdvision/testing/wait';
import { expect, it, onTestFinished } from 'vitest';
import { WatchedFiles } from './watched-files.ts';

it('P11 a file that cannot be examined does not end the gateway, and its repair is noticed', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-watched-'));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'key.pem');
	await symlink(path, path);
	let changes = 0;
	const files = WatchedFiles.watch([path], () => changes++);
	onTestFinished(() => files.close());
	await writeFile(join(dir, 'new'), 'a key');
	await rename(join(dir, 'new'), path);
	await waitFor('the change', () => changes > 0);
	expect(changes).toBe(1);
});
