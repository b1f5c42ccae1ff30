import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSettings, text } from './settings.ts';

const SETTINGS = {
	SECRET: { ...text('for tests', undefined, 'at least 8 characters', /^.{8,}$/s), secret: true, inFile: true },
	PLAIN: text('for tests', undefined),
} as const;
const dir = mkdtempSync(join(tmpdir(), 'crowdvision-settings-'));
const file = (name: string, content: string) => {
	writeFileSync(join(dir, name), content);
	return join(dir, name);
};
afterAll(() => rmSync(dir, { recursive: true }));

describe('a setting that may be given in a file', () => {
	it('is read from the file, without the line end that editors add', () => {
		expect(readSettings(SETTINGS, { SECRET_FILE: file('good', 'long enough\n') })).toEqual({ SECRET: 'long enough' });
	});

	it('is not shown in the error when the file holds a wrong value', () => {
		const path = file('short', 'short');
		expect(() => readSettings(SETTINGS, { SECRET_FILE: path })).toThrow(
			`SECRET is in "${path}", but must be at least 8 characters`,
		);
	});

	it('is absent when the file is empty', () => {
		expect(readSettings(SETTINGS, { SECRET_FILE: file('empty', '\n') })).toEqual({});
	});

	it('reports which file cannot be read', () => {
		expect(() => readSettings(SETTINGS, { SECRET_FILE: join(dir, 'none') })).toThrow(
			`SECRET_FILE is "${join(dir, 'none')}", which cannot be read`,
		);
	});

	it('is refused when it is given both ways', () => {
		expect(() =>
			readSettings(SETTINGS, { SECRET: 'long enough', SECRET_FILE: file('other', 'also long enough') }),
		).toThrow('both set');
	});

	it('has to be declared so: no other setting is read from a file', () => {
		expect(readSettings(SETTINGS, { PLAIN_FILE: file('plain', 'text') })).toEqual({});
	});
});
