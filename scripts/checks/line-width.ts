import type { TextFile } from './files.ts';

const MOST_COLUMNS = 120;
const TAB_COLUMNS = 2;
const MOST_EXCEPTIONS = 50;

/** A line that may be wider, or a Markdown table whose rows may be. */
export interface WideLine {
	path: string;
	/** How the line begins, without its indentation; for a table, how its head begins. It stands for one of them. */
	begins: string;
	why: string;
}

/** Files whose lines nobody writes by hand. */
const GENERATED = [
	/(^|\/)package-lock\.json$/,
	/^THIRD-PARTY-NOTICES$/,
	// Made by scripts/docs.ts, which the check of the generated documents holds to the code.
	/^docs\/api\/(index\.html|[^/]+\.json)$/,
	/^docs\/[^/]+\.json$/,
	/^docs\/(settings|errors|metrics)\.md$/,
];

/** Width in columns: a tab counts 2, everything else 1 a character. */
function columns(line: string): number {
	let width = 0;
	for (const character of line) width += character === '\t' ? TAB_COLUMNS : 1;
	return width;
}

/** Every line that is too wide and not excepted, every exception without such a line, and too many exceptions. */
export function widthProblems(files: readonly TextFile[], exceptions: readonly WideLine[], listedIn: string): string[] {
	const problems: string[] = [];
	/** What each exception stands for: the line, or the first line of the table. */
	const used = new Map<WideLine, number>();
	for (const { path, text } of files) {
		if (GENERATED.some((pattern) => pattern.test(path))) continue;
		const own = exceptions.filter((one) => one.path === path);
		let table: { line: string; index: number } | undefined;
		text.split(/\r?\n/).forEach((line, index) => {
			const isRow = path.endsWith('.md') && line.trimStart().startsWith('|');
			table = isRow ? (table ?? { line, index }) : undefined;
			if (line.length * TAB_COLUMNS <= MOST_COLUMNS) return;
			const width = columns(line);
			if (width <= MOST_COLUMNS) return;
			const place = table ?? { line, index };
			const exception = own.find(
				(one) => place.line.trimStart().startsWith(one.begins) && (used.get(one) ?? place.index) === place.index,
			);
			if (exception) used.set(exception, place.index);
			else problems.push(`${path}:${index + 1}: ${width} columns; at most ${MOST_COLUMNS} are allowed`);
		});
	}
	for (const one of exceptions) {
		if (!used.has(one))
			problems.push(
				`${listedIn}: no line of ${one.path} that begins with "${one.begins}" is too wide: remove the entry`,
			);
	}
	if (exceptions.length > MOST_EXCEPTIONS)
		problems.push(`${listedIn}: ${exceptions.length} wide lines; at most ${MOST_EXCEPTIONS} are allowed`);
	return problems;
}
