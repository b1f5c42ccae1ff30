import { type ESTree, parseSync, Visitor } from 'rolldown/utils';

/** One place where a file names another module. */
export interface Import {
	/** As written; undefined where it is computed, so that nobody can say what it is. */
	specifier: string | undefined;
	line: number;
	/** `url`: a file named by `new URL('./x.ts', import.meta.url)`, such as a worker's. */
	kind: 'static' | 'dynamic' | 'type' | 'require' | 'url';
}

const SCRIPT_BLOCK = /<script\b([^>]*)>([\s\S]*?)<\/script>/g;

/** The script of a Vue component, everything else blanked out so that lines stay where they are. */
function scriptOfVue(text: string): string {
	const blank = (part: string) => part.replace(/[^\n]/g, ' ');
	let script = '';
	let end = 0;
	for (const match of text.matchAll(SCRIPT_BLOCK)) {
		const start = match.index + match[0].indexOf('>') + 1;
		script += `${blank(text.slice(end, start))}${match[2]}`;
		end = start + match[2]!.length;
	}
	return `${script}${blank(text.slice(end))}`;
}

/** The TypeScript or JavaScript of a file, on the lines where it stands. */
export const scriptOf = (path: string, text: string) => (path.endsWith('.vue') ? scriptOfVue(text) : text);

/**
 * Everything a TypeScript, JavaScript or Vue file imports: statements, re-exports, types, `import()`, `require()` and
 * worker files.
 * @throws for a file that does not parse.
 */
export function importsOf(path: string, text: string): Import[] {
	const source = scriptOf(path, text);
	const { program, errors } = parseSync(path.replace(/\.vue$/, '.ts'), source);
	if (errors.length > 0) throw new Error(`${path} does not parse: ${String(errors[0])}`);
	const found: Import[] = [];
	const add = (kind: Import['kind'], at: number, node: ESTree.Node | null | undefined) => {
		const specifier = node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
		found.push({ kind, specifier, line: source.slice(0, at).split('\n').length });
	};
	new Visitor({
		ImportDeclaration: (node) => add(node.importKind === 'type' ? 'type' : 'static', node.start, node.source),
		ExportAllDeclaration: (node) => add(node.exportKind === 'type' ? 'type' : 'static', node.start, node.source),
		ExportNamedDeclaration: (node) => {
			if (node.source) add(node.exportKind === 'type' ? 'type' : 'static', node.start, node.source);
		},
		ImportExpression: (node) => add('dynamic', node.start, node.source),
		TSImportType: (node) => add('type', node.start, node.source),
		TSExternalModuleReference: (node) => add('require', node.start, node.expression),
		CallExpression: (node) => {
			if (node.callee.type === 'Identifier' && node.callee.name === 'require')
				add('require', node.start, node.arguments[0]);
		},
		NewExpression: (node) => {
			const [first] = node.arguments;
			const isFile =
				first?.type === 'Literal' && typeof first.value === 'string' && /^\..*\.m?[jt]s$/.test(first.value);
			if (node.callee.type === 'Identifier' && node.callee.name === 'URL' && isFile) add('url', node.start, first);
		},
	}).visit(program);
	return found;
}
