import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { SILENT } from '../logger.ts';
import { tempDir } from '../testing/temp-dir.ts';
import { Flash } from './flash.ts';

describe('flash memory', () => {
	it('keeps counts through a restart, in a folder that it creates', async () => {
		const file = join(await tempDir(), 'deep', 'flash.json');
		const flash = new Flash(file, SILENT);
		expect(flash.counts).toEqual({});
		flash.add('hall-door', 30);
		flash.add('hall-door', -4);
		flash.add('lab-door', -5);
		await flash.save();
		expect(new Flash(file, SILENT).counts).toEqual({ 'hall-door': 26, 'lab-door': 0 });
	});

	it('is written by itself shortly after a change', async () => {
		const file = join(await tempDir(), 'flash.json');
		new Flash(file, SILENT).add('hall-door', 3);
		await vi.waitFor(async () => expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ 'hall-door': 3 }), {
			timeout: 10_000,
		});
	});

	it.each(['', '{', 'null', '[1,2', '{"hall-door":-1}', '{"hall-door":"3"}', '{"hall-door":1.5}'])(
		'is empty when its file is damaged: %j',
		async (text) => {
			const file = join(await tempDir(), 'flash.json');
			await writeFile(file, text);
			expect(new Flash(file, SILENT).counts).toEqual({});
		},
	);

	it('logs that it cannot be written, and continues', async () => {
		const dir = await tempDir();
		await mkdir(join(dir, 'flash.json', 'in-the-way'), { recursive: true });
		const warn = vi.fn();
		const flash = new Flash(join(dir, 'flash.json'), { ...SILENT, warn });
		flash.add('hall-door', 1);
		await flash.save();
		expect(warn).toHaveBeenCalledOnce();
		expect(flash.counts).toEqual({ 'hall-door': 1 });
	});
});
