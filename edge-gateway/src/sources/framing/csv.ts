const QUOTE = '"';

/**
 * A row's cells (RFC 4180 section 2, within one line): a quoted cell may hold delimiters, and a quote doubled.
 * Undefined for a row that is none.
 */
export function parseRow(row: string, delimiter: string): string[] | undefined {
	const cells: string[] = [];
	for (let at = 0; ; at++) {
		if (row[at] === QUOTE) {
			let cell = '';
			for (let from = at + 1; ; from = at + 1) {
				at = row.indexOf(QUOTE, from);
				if (at === -1) return undefined;
				cell += row.slice(from, at);
				if (row[++at] !== QUOTE) break;
				cell += QUOTE;
			}
			cells.push(cell);
		} else {
			const end = row.indexOf(delimiter, at);
			const cell = row.slice(at, end === -1 ? undefined : end);
			// A quote in the middle of a plain cell is damage.
			if (cell.includes(QUOTE)) return undefined;
			cells.push(cell.trim());
			at += end === -1 ? row.length : cell.length;
		}
		if (at >= row.length) return cells;
		if (row[at] !== delimiter) return undefined;
	}
}
