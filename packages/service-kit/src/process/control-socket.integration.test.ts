import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askControlSocket, ControlSocket } from './control-socket.ts';

async function socketIn(folder: string): Promise<{ path: string; socket: ControlSocket }> {
	const dir = await mkdtemp(join(tmpdir(), folder));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'why.sock');
	return { path, socket: new ControlSocket(path, { '/why': async () => ({ well: true }) }) };
}

describe('the control socket', () => {
	it('answers an invalid path with an error, as it does an unknown one', async () => {
		const { path, socket } = await socketIn('crowdvision-control-');
		await socket.open();
		onTestFinished(() => socket.close());
		await expect(askControlSocket(path, '//')).rejects.toThrow();
		await expect(askControlSocket(path, '/unknown')).rejects.toThrow('does not know the request /unknown');
		expect(await askControlSocket(path, '/why')).toEqual({ well: true });
	});

	it('works below a path that is too long for a socket, and keeps no folder open afterwards', async () => {
		const openFiles = async () => (await readdir('/proc/self/fd')).length;
		const { path, socket } = await socketIn(`crowdvision-${'long-'.repeat(20)}`);
		const before = await openFiles();
		await socket.open();
		for (let i = 0; i < 20; i++) expect(await askControlSocket(path, '/why')).toEqual({ well: true });
		await socket.close();
		await waitFor('all folders to be closed', async () => (await openFiles()) <= before + 5);
	});
});
