import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRow } from './csv.ts';

describe('parsing a row of CSV', () => {
	it.each<[string, string[] | undefined]>([
		['a,b,c', ['a', 'b', 'c']],
		['', ['']],
		[',', ['', '']],
		['a, b ,', ['a', 'b', '']],
		['"a,b",c', ['a,b', 'c']],
		['"say ""hello""",1', ['say "hello"', '1']],
		['"",""', ['', '']],
		['""""', ['"']],
		['"a', undefined],
		['"a"b,c', undefined],
		['a"b,c', undefined],
		['"a""', undefined],
	])('turns %o into %o', (row, cells) => expect(parseRow(row, ',')).toEqual(cells));

	it('returns the cells a row was made of, quoted or not, with any delimiter', () => {
		const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
		fc.assert(
			fc.property(
				fc.array(fc.tuple(fc.string(), fc.boolean()), { minLength: 1 }),
				fc.constantFrom(',', ';', '\t'),
				(cells, delimiter) => {
					const plain = (cell: string) => cell === cell.trim() && !cell.includes('"') && !cell.includes(delimiter);
					const row = cells.map(([cell, always]) => (always || !plain(cell) ? quoted(cell) : cell)).join(delimiter);
					expect(parseRow(row, delimiter)).toEqual(cells.map(([cell]) => cell));
				},
			),
		);
	});
});
