import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemTime } from './time-source.ts';

it('systemTime treats an unreadable folder of timesyncd as saying nothing', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-timesync-'));
	onTestFinished(() => rm(dir, { recursive: true }));
	const loop = join(dir, 'loop');
	await symlink(loop, loop);
	expect(systemTime(loop).evidence()).toEqual({ kind: 'silent' });
	expect(systemTime(dir).evidence()).toEqual({ kind: 'waiting' });
});
