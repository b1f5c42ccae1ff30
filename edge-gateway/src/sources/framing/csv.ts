const QUOTE = '"';

/**
 * Splits one line of CSV into cells (RFC 4180 section 2): a quoted cell may hold delimiters, and quotes doubled.
 * Unquoted cells are trimmed. Undefined when the quoting is broken.
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
			// A quote in the middle of an unquoted cell means that the line is damaged.
			if (cell.includes(QUOTE)) return undefined;
			cells.push(cell.trim());
			at += end === -1 ? row.length : cell.length;
		}
		if (at >= row.length) return cells;
		if (row[at] !== delimiter) return undefined;
	}
}
