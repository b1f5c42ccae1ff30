import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, writeAtomically, writeAtomicallySync } from './write-atomically.ts';

let dir: string;
beforeEach(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-atomic-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe.each([
	['writeAtomically', writeAtomically],
	['writeAtomicallySync', async (...args: Parameters<typeof writeAtomicallySync>) => writeAtomicallySync(...args)],
])('%s', (_name, write) => {
	it('replaces a file with one that only its owner can read, and leaves no other file behind', async () => {
		const path = join(dir, 'file');
		writeFileSync(path, 'old', { mode: 0o644 });
		await write(path, 'new', { syncFolder: true });
		expect(readFileSync(path, 'utf8')).toBe('new');
		expect(statSync(path).mode & 0o777).toBe(0o600);
		await write(path, Uint8Array.of(1, 2));
		expect([...readFileSync(path)]).toEqual([1, 2]);
		expect(readdirSync(dir)).toEqual(['file']);
	});

	it('removes the unfinished file and throws when the file cannot be replaced', async () => {
		const path = join(dir, 'folder');
		mkdirSync(path);
		await expect(write(path, 'new')).rejects.toThrow();
		expect(readdirSync(dir)).toEqual(['folder']);
	});
});

describe('makeFolder', () => {
	it('creates what is missing for its owner only, and takes a folder that exists, also after it was removed', () => {
		const path = join(dir, 'a/b/c');
		for (let n = 0; n < 2; n++) {
			makeFolder(path);
			makeFolder(path);
			for (const folder of ['a', 'a/b', 'a/b/c']) expect(statSync(join(dir, folder)).mode & 0o777).toBe(0o700);
			rmSync(join(dir, 'a'), { recursive: true });
		}
	});

	it('throws when something else has the name', () => {
		writeFileSync(join(dir, 'file'), '');
		expect(() => makeFolder(join(dir, 'file'))).toThrow('EEXIST');
	});
});
