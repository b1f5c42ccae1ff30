import { posix } from 'node:path';
import type { TextFile } from './files.ts';

/** Pages that also name paths relative to these folders, and only paths of the repository. */
const ALSO_RELATIVE_TO: Readonly<Record<string, readonly string[]>> = {
	'ARCHITECTURE.md': ['edge-gateway/src', 'edge-gateway/src/sources/mqtt'],
};
/** Of other pages, only paths that begin like this are paths of the repository. */
const SOURCES = /^(packages|edge-gateway|services|firmware-sim|frontend|test|scripts|bench|deploy|docs)\//;

/**
 * What the Markdown pages name and the repository does not have: the target or the heading of a relative link, a file
 * or folder in backquotes, and a script of package.json.
 */
export function pageProblems(files: readonly TextFile[], paths: Iterable<string>): string[] {
	const known = new Set<string>();
	for (const path of paths) for (let one = path; one !== '.'; one = posix.dirname(one)) known.add(one).add(`${one}/`);
	const texts = new Map(files.map(({ path, text }) => [path, text]));
	const { scripts } = JSON.parse(texts.get('package.json') ?? '{}') as { scripts?: Record<string, string> };

	const problems: string[] = [];
	for (const { path: page, text } of files) {
		if (!page.endsWith('.md')) continue;
		const folders = ['', ...(ALSO_RELATIVE_TO[page] ?? [])];
		let isCode = false;
		text.split('\n').forEach((line, index) => {
			const missing = (what: string) => problems.push(`${page}:${index + 1}: ${what}`);
			for (const [, script] of line.matchAll(/npm run (?:--\w+ )?([a-z][a-z:]*)/g))
				if (!Object.hasOwn(scripts ?? {}, script!)) missing(`package.json has no script ${script}`);
			if (line.trimStart().startsWith('```')) isCode = !isCode;
			if (isCode) return;
			for (const [, target] of line.matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)) {
				const [path, anchor] = target!.split('#');
				const file = path === '' ? page : posix.join(posix.dirname(page), path!);
				if (!known.has(file)) missing(`links to ${file}, which is not there`);
				else if (anchor !== undefined && !anchorsOf(texts.get(file) ?? '').includes(anchor))
					missing(`links to the heading ${anchor}, which ${file} does not have`);
			}
			for (const [, named] of line.matchAll(/`([a-z.][\w{},.-]*\/[\w{},./-]*)`/g)) {
				for (const path of spellings(named!)) {
					if (folders.length === 1 && !SOURCES.test(path)) continue;
					if (!folders.some((folder) => known.has(posix.join(folder, path))))
						missing(`names ${path}, which is not there`);
				}
			}
		});
	}
	return problems;
}

/** `a/{b,c}/` stands for `a/b/` and `a/c/`. */
function spellings(path: string): string[] {
	const braces = /\{([^}]+)\}/.exec(path);
	if (!braces) return [path];
	return braces[1]!.split(',').flatMap((one) => spellings(path.replace(braces[0], one)));
}

/** The anchors of a page's headings, as GitHub makes them: lower case, no punctuation, hyphens for spaces. */
function anchorsOf(text: string): string[] {
	return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
		heading!
			.toLowerCase()
			.replaceAll(/[^\p{L}\p{N} _-]/gu, '')
			.replaceAll(' ', '-'),
	);
}
