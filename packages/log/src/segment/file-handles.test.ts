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

describe('files open for reading', () => {
	it('are few, and each read gets what it asked for while others push its file out', async () => {
		const before = openFiles();
		const paths = Array.from({ length: 30 }, (_, n) => file(`${n}`, `file ${n}`.padEnd(100)));
		for (let round = 0; round < 10; round++) {
			// More than the file has: it takes two reads, and between them it may be closed.
			const texts = await Promise.all(paths.map((path) => handles.read(path, 0, 120)));
			for (const [n, text] of texts.entries())
				expect(text.toString('latin1')).toBe(`file ${n}`.padEnd(100).padEnd(120, '\0'));
		}
		// They are closed one after the other, and closing takes a while.
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

	it('say of a file that is not there that it is gone, and of everything that they are closed', async () => {
		await expect(handles.read(join(dir, 'none'), 0, 10)).rejects.toThrow(SegmentGoneError);
		const path = file('a', 'text');
		await handles.read(path, 0, 4);
		await handles.closeAll();
		await expect(handles.read(path, 0, 4)).rejects.toMatchObject({ code: 'ECLOSED' });
	});

	it('give what was open also after it was removed', async () => {
		const path = file('a', 'text');
		await handles.read(path, 0, 4);
		rmSync(path);
		expect((await handles.read(path, 0, 4)).toString()).toBe('text');
	});
});

describe('a disk that cannot read its blocks', () => {
	it('costs those blocks, which come back as zeros', async () => {
		// The memory at address 0 is the one thing of which a read reliably fails with EIO.
		const bad = await open('/proc/self/mem', 'r');
		try {
			const bytes = Buffer.alloc(10_000, 'x');
			await salvage(bad, bytes, 0);
			expect(bytes.equals(Buffer.alloc(10_000))).toBe(true);
		} finally {
			await bad.close();
		}
	});

	it('gives what it has of a file, and nothing of one that cannot be opened', () => {
		expect(salvageSync(file('a', 'text')).toString()).toBe('text');
		expect(salvageSync(join(dir, 'none'))).toHaveLength(0);
		expect(salvageSync(dir)).toBeInstanceOf(Buffer);
	});
});
