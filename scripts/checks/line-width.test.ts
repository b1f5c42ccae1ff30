import { describe, expect, it } from 'vitest';
import { type WideLine, widthProblems } from './line-width.ts';

const LIST = 'list.ts';
const check = (text: string, exceptions: WideLine[] = [], path = 'src/a.ts') =>
	widthProblems([{ path, text }], exceptions, LIST);
const exception = (begins: string, path = 'src/a.ts'): WideLine => ({ path, begins, why: 'a try' });

describe('the check of the line width', () => {
	it('allows 120 columns', () => {
		expect(check(`${'x'.repeat(120)}\n${'é'.repeat(120)}\n`)).toEqual([]);
	});

	it('names the file, the line, its width and what is allowed', () => {
		expect(check(`short\n${'x'.repeat(130)}\n`)).toEqual(['src/a.ts:2: 130 columns; at most 120 are allowed']);
	});

	it('counts a tab as 2 columns and a character as 1, however many bytes it has', () => {
		expect(check(`\t${'x'.repeat(118)}`)).toEqual([]);
		expect(check(`\t${'x'.repeat(119)}`)).toEqual(['src/a.ts:1: 121 columns; at most 120 are allowed']);
		expect(check('🙂'.repeat(120))).toEqual([]);
	});

	it('does not count the end of a line in a file with carriage returns', () => {
		expect(check(`${'x'.repeat(120)}\r\n${'x'.repeat(120)}\r\n`)).toEqual([]);
	});

	it.each([
		'package-lock.json',
		'docs/api/index.html',
		'docs/api/openapi.json',
		'docs/gateway.schema.json',
		'docs/errors.md',
	])('leaves out %s, which nobody writes by hand', (path) => {
		expect(check('x'.repeat(130), [], path)).toEqual([]);
	});

	it('allows a listed line, whatever its indentation', () => {
		expect(check(`\t\thttps://example.org/${'x'.repeat(130)}`, [exception('https://example.org/')])).toEqual([]);
	});

	it('allows one line for one entry of the list', () => {
		const twice = `https://${'x'.repeat(130)}\nhttps://${'x'.repeat(130)}`;
		expect(check(twice, [exception('https://')])).toEqual(['src/a.ts:2: 138 columns; at most 120 are allowed']);
	});

	it('allows every row of a listed table and no row of another one', () => {
		const row = `| ${'x'.repeat(130)} |`;
		const text = `| name | why |\n| --- | --- |\n${row}\n${row}\n\n| other | why |\n${row}\n`;
		expect(check(text, [exception('| name', 'a.md')], 'a.md')).toEqual([
			'a.md:7: 134 columns; at most 120 are allowed',
		]);
	});

	it('reports an entry of the list that is not needed', () => {
		expect(check('short', [exception('short')])).toEqual([
			'list.ts: no line of src/a.ts that begins with "short" is too wide: remove the entry',
		]);
	});

	it('reports a list of more than 50 entries', () => {
		const lines = Array.from({ length: 51 }, (_, index) => `${index}: ${'x'.repeat(130)}`);
		const exceptions = lines.map((_, index) => exception(`${index}:`));
		expect(check(lines.join('\n'), exceptions)).toEqual(['list.ts: 51 wide lines; at most 50 are allowed']);
	});
});
