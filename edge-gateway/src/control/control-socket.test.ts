import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@crowdvision/testing/wait';
import { expect, it, onTestFinished } from 'vitest';
import { askGateway, ControlSocket } from './control-socket.ts';

async function door(folder: string): Promise<{ path: string; door: ControlSocket }> {
	const dir = await mkdtemp(join(tmpdir(), folder));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'why.sock');
	return { path, door: new ControlSocket(path, { '/why': async () => ({ well: true }) }) };
}

it('answers what is no path as it answers what it does not know', async () => {
	const { path, door: opened } = await door('crowdvision-door-');
	await opened.open();
	onTestFinished(() => opened.close());
	await expect(askGateway(path, '//')).rejects.toThrow();
	expect(await askGateway(path, '/why')).toEqual({ well: true });
});

it('holds no folder open whose path was too long, once it is asked or closed', async () => {
	const open = async () => (await readdir('/proc/self/fd')).length;
	const { path, door: opened } = await door(`crowdvision-${'long-'.repeat(20)}`);
	const before = await open();
	await opened.open();
	for (let i = 0; i < 20; i++) expect(await askGateway(path, '/why')).toEqual({ well: true });
	await opened.close();
	await waitFor('all to be closed', async () => (await open()) <= before + 5);
});
