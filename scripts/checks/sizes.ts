import { posix } from 'node:path';
import { type ESTree, parseSync, Visitor } from 'rolldown/utils';
import { scriptOf } from '../../test/rules/imports.ts';
import type { TextFile } from './files.ts';

const MOST_LINES = 350;
const MOST_LINES_OF_TEST = 400;
const MOST_LINES_OF_FUNCTION = 100;
const MOST_LINES_OF_TEST_FUNCTION = 120;
const MOST_FILES = 20;
const MOST_TEST_FILES = 40;

const SOURCE = /\.(m?[jt]s|vue)$/;
/** Files that only tests load. */
const OF_TESTS = /\.(test|conformance|fixture)\.ts$|(^|\/)(test|tests|testing)\//;
/** A function that calls one of these is a suite: its lines are those of its tests. */
const SUITE = new Set(['describe', 'it', 'test']);

/** What is larger than allowed today, and its size, which may only go down. */
export interface Oversize {
	/** Lines by path. */
	files: Readonly<Record<string, number>>;
	/** Lines by path, blank and name. */
	functions: Readonly<Record<string, number>>;
	/** Source files by folder. */
	folders: Readonly<Record<string, number>>;
}

interface Measured {
	/** Key in `Oversize`. */
	key: string;
	at: string;
	what: string;
	size: number;
	most: number;
}

const lineCount = (text: string) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** What a function is called where it stands: its own name, or that of the variable, property or method it is. */
function nameOf(node: ESTree.Node, parent: ESTree.Node | undefined): string {
	if ('id' in node && node.id && 'name' in node.id) return String(node.id.name);
	if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') return parent.id.name;
	if (parent && 'key' in parent && parent.key && 'name' in parent.key) return String(parent.key.name);
	return 'a function';
}

/** The variable at the head of what is called: `it` of `it.each(cases)`. */
function nameOfCaller(callee: ESTree.Node): string {
	if (callee.type === 'Identifier') return callee.name;
	if (callee.type === 'MemberExpression') return nameOfCaller(callee.object);
	return callee.type === 'CallExpression' ? nameOfCaller(callee.callee) : 'something computed';
}

/** Functions of one file with more lines than allowed; suites of tests are left out. */
function longFunctions({ path, text }: TextFile): Measured[] {
	const source = scriptOf(path, text);
	const most = OF_TESTS.test(path) ? MOST_LINES_OF_TEST_FUNCTION : MOST_LINES_OF_FUNCTION;
	const found: Measured[] = [];
	const open: { node: ESTree.Node; name: string; isSuite: boolean }[] = [];
	const names = new Map<ESTree.Node, string>();
	const enter = (node: ESTree.Node) => {
		open.push({ node, name: names.get(node) ?? nameOf(node, undefined), isSuite: false });
	};
	const leave = () => {
		const { node, name, isSuite } = open.pop()!;
		const size = lineCount(source.slice(node.start, node.end));
		if (isSuite || size <= most) return;
		const line = lineCount(source.slice(0, node.start + 1));
		found.push({ key: `${path} ${name}`, at: `${path}:${line}`, what: `lines of ${name}:`, size, most });
	};
	const called = (parent: ESTree.Node, child: ESTree.Node | null | undefined) => {
		if (child) names.set(child, nameOf(child, parent));
	};
	new Visitor({
		VariableDeclarator: (node) => called(node, node.init),
		Property: (node) => called(node, node.value),
		PropertyDefinition: (node) => called(node, node.value),
		MethodDefinition: (node) => called(node, node.value),
		FunctionDeclaration: enter,
		'FunctionDeclaration:exit': leave,
		FunctionExpression: enter,
		'FunctionExpression:exit': leave,
		ArrowFunctionExpression: enter,
		'ArrowFunctionExpression:exit': leave,
		CallExpression: ({ callee, arguments: passed }) => {
			const caller = nameOfCaller(callee);
			if (SUITE.has(caller)) for (const one of open) one.isSuite = true;
			for (const one of passed) names.set(one, `a function passed to ${caller}`);
		},
		NewExpression: ({ callee, arguments: passed }) => {
			for (const one of passed) names.set(one, `a function passed to ${nameOfCaller(callee)}`);
		},
	}).visit(parseSync(path.replace(/\.vue$/, '.ts'), source).program);
	return found;
}

/** Folders with more source files than allowed, each counted alone and tests apart from the rest. */
function fullFolders(sources: readonly TextFile[]): Measured[] {
	const counts = new Map<string, { of: number; ofTests: number }>();
	for (const { path } of sources) {
		const folder = posix.dirname(path);
		const count = counts.get(folder) ?? { of: 0, ofTests: 0 };
		count[OF_TESTS.test(path) ? 'ofTests' : 'of']++;
		counts.set(folder, count);
	}
	return [...counts].flatMap(([folder, { of, ofTests }]) => [
		{ key: folder, at: `${folder}/`, what: 'source files:', size: of, most: MOST_FILES },
		{ key: `${folder} (tests)`, at: `${folder}/`, what: 'files of tests:', size: ofTests, most: MOST_TEST_FILES },
	]);
}

/**
 * Every file, function and folder that is too large and not excepted, that grew although it is, or that is excepted
 * without need.
 */
export function sizeProblems(files: readonly TextFile[], exceptions: Oversize, listedIn: string): string[] {
	const sources = files.filter(({ path }) => SOURCE.test(path));
	const long = sources.map(({ path, text }) => ({
		key: path,
		at: path,
		what: 'lines:',
		size: lineCount(text),
		most: OF_TESTS.test(path) ? MOST_LINES_OF_TEST : MOST_LINES,
	}));
	return [
		...against(long, exceptions.files, listedIn),
		...against(sources.flatMap(longFunctions), exceptions.functions, listedIn),
		...against(fullFolders(sources), exceptions.folders, listedIn),
	];
}

function against(measured: Measured[], exceptions: Readonly<Record<string, number>>, listedIn: string): string[] {
	const problems: string[] = [];
	const needed = new Set<string>();
	for (const { key, at, what, size, most } of measured) {
		if (size <= most) continue;
		needed.add(key);
		const excepted = exceptions[key];
		if (excepted === undefined) problems.push(`${at}: ${what} ${size}; at most ${most} are allowed`);
		else if (size > excepted) problems.push(`${at}: ${what} ${size}; ${listedIn} allows ${excepted}, and never more`);
	}
	for (const key of Object.keys(exceptions)) {
		if (!needed.has(key)) problems.push(`${listedIn}: "${key}" is no longer too large: remove the entry`);
	}
	return problems;
}
