import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Folders } from '../testing/folders.ts';
import { FileHandles, SegmentGoneError } from './file-handles.ts';
import { salvage, salvageSync } from './salvage.ts';

const folders = new Folders();
let dir: string;
let handles: FileHandles;
beforeEach(() => {
	dir = folders.make();
	handles = new FileHandles();
});
afterEach(async () => {
	await handles.closeAll();
	folders.removeAll();
});
const file = (name: string, text: string) => {
	const path = join(dir, name);
	writeFileSync(path, text);
	return path;
};
const openFiles = () => readdirSync('/proc/self/fd').length;

describe('the files open for reading', () => {
	it('are few, and each read succeeds while other reads evict its file', async () => {
		const before = openFiles();
		const paths = Array.from({ length: 30 }, (_, n) => file(`${n}`, `file ${n}`.padEnd(100)));
		for (let round = 0; round < 10; round++) {
			// More than the file holds: this takes two reads, and the file may be closed in between.
			const texts = await Promise.all(paths.map((path) => handles.read(path, 0, 120)));
			for (const [n, text] of texts.entries())
				expect(text.toString('latin1')).toBe(`file ${n}`.padEnd(100).padEnd(120, '\0'));
		}
		// Closing takes a while, one file after the other.
		await waitFor('the rest to be closed', () => openFiles() - before <= 8);
	});

	it('can be closed in the middle of a read', async () => {
		const path = file('a', 'text');
		for (let round = 0; round < 50; round++) {
			const reading = handles.read(path, 0, 10);
			for (let turn = 0; turn < round % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
			handles.close(path);
			expect((await reading).toString('latin1')).toBe('text\0\0\0\0\0\0');
		}
	});

	it('throw SegmentGoneError for a missing file, and ECLOSED once they are closed', async () => {
		await expect(handles.read(join(dir, 'none'), 0, 10)).rejects.toThrow(SegmentGoneError);
		const path = file('a', 'text');
		await handles.read(path, 0, 4);
		await handles.closeAll();
		await expect(handles.read(path, 0, 4)).rejects.toMatchObject({ code: 'ECLOSED' });
	});

	it('can still be read after a file was removed', async () => {
		const path = file('a', 'text');
		await handles.read(path, 0, 4);
		rmSync(path);
		expect((await handles.read(path, 0, 4)).toString()).toBe('text');
	});
});

describe('a disk that cannot read its blocks', () => {
	it('loses those blocks only, which are read as zeros', async () => {
		// Reading the memory at address 0 is the one read that reliably fails with EIO.
		const bad = await open('/proc/self/mem', 'r');
		try {
			const bytes = Buffer.alloc(10_000, 'x');
			await salvage(bad, bytes, 0);
			expect(bytes.equals(Buffer.alloc(10_000))).toBe(true);
		} finally {
			await bad.close();
		}
	});

	it('gives the bytes that a file has, and none of a file that cannot be opened', () => {
		expect(salvageSync(file('a', 'text')).toString()).toBe('text');
		expect(salvageSync(join(dir, 'none'))).toHaveLength(0);
		expect(salvageSync(dir)).toBeInstanceOf(Buffer);
	});
});
