import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { type Import, importsOf } from './imports.ts';

/** What of a package.json counts here. */
export interface Manifest {
	name: string;
	exports?: Record<string, unknown>;
	dependencies?: Record<string, string>;
	devDependencies?: Record<string, string>;
	peerDependencies?: Record<string, string>;
}

/** The repository, or a made-up one: paths relative to its root, with `/`. */
export interface Repository {
	files: ReadonlyMap<string, string>;
	/** By folder; the root's own under ''. */
	manifests: ReadonlyMap<string, Manifest>;
}

interface Rule {
	/** Folder of the workspaces it is for. */
	of: RegExp;
	/** Workspaces it may import, or single exports of one; those with `only`, only from files whose path matches. */
	may: (string | { workspace: string; only: RegExp })[];
	/** Where given, the npm packages it may import, each only from files whose path matches. */
	packages?: Record<string, RegExp>;
	/** Node's own modules it may import; default all. */
	builtins?: RegExp;
}

const ANYWHERE = /^/;
const NONE = /$^/;
/** Exports of the service kit that load none of its packages. */
const LIGHT = ['service-kit/retry', 'service-kit/concurrency', 'service-kit/plain-logger'];

/** The rules of ARCHITECTURE.md. */
const RULES: Rule[] = [
	// Everybody's words, the browser's too: no input or output of any kind.
	{ of: /^packages\/contracts$/, may: [], packages: { typebox: ANYWHERE }, builtins: NONE },
	// Decides on live and on stored values alike, so it reads neither.
	{ of: /^packages\/rules$/, may: ['contracts'], packages: {}, builtins: NONE },
	{ of: /^packages\/log$/, may: ['service-kit/files'], packages: {} },
	{
		of: /^packages\/bus$/,
		may: ['contracts', ...LIGHT, { workspace: 'log', only: /^packages\/bus\/src\/embedded\// }],
		packages: { ioredis: /^packages\/bus\/src\/redis\// },
	},
	{
		of: /^packages\/store$/,
		may: ['contracts', ...LIGHT, 'service-kit/files', 'service-kit/process-lock'],
		packages: { mongoose: /^packages\/store\/src\/mongo\// },
	},
	{ of: /^packages\/service-kit$/, may: ['contracts'] },
	{ of: /^packages\/testing$/, may: ['contracts', 'log', 'bus', 'store', 'service-kit'] },
	{ of: /^edge-gateway$/, may: ['contracts', 'log', 'bus', 'service-kit'] },
	{ of: /^services\/(notification|twin)$/, may: ['contracts', 'rules', 'bus', 'store', 'service-kit'] },
	{ of: /^services\/[^/]+$/, may: ['contracts', 'bus', 'store', 'service-kit'] },
	{ of: /^firmware-sim$/, may: ['contracts'] },
	{ of: /^frontend$/, may: ['contracts'] },
];

const SCOPE = '@crowdvision/';
const BUILTINS = new Set(builtinModules);
/** Files that only tests load; they may use the root's tools and packages/testing, but obey everything else. */
const FOR_TESTS = /\.(test|conformance)\.ts$|(^|\/)(test|tests|testing)\//;
const TESTING = `${SCOPE}testing`;

const packageOf = (specifier: string) =>
	specifier
		.split('/')
		.slice(0, specifier.startsWith('@') ? 2 : 1)
		.join('/');

/** Every breach of the rules, as `path:line says what`, and every circle of files. Empty when all is well. */
export function importViolations({ files, manifests }: Repository, rules = RULES): string[] {
	const violations: string[] = [];
	const graph = new Map<string, string[]>();
	const byName = new Map([...manifests].map(([folder, manifest]) => [manifest.name, folder]));
	const folders = [...manifests.keys()].filter((folder) => folder !== '');

	for (const folder of folders) {
		if (!rules.some(({ of }) => of.test(folder)))
			violations.push(`${folder}/package.json: no rule says what this workspace may import`);
	}

	for (const [path, text] of files) {
		const home = folders.find((folder) => path.startsWith(`${folder}/`));
		const edges: string[] = [];
		graph.set(path, edges);
		for (const found of importsOf(path, text)) {
			const { specifier } = found;
			const wrong = (what: string) => violations.push(`${path}:${found.line} ${what}`);
			if (specifier === undefined) {
				if (home !== undefined && !FOR_TESTS.test(path)) wrong('imports something computed, which no rule can follow');
			} else if (specifier.startsWith('.')) {
				const target = posix.join(posix.dirname(path), specifier.replace(/[?#].*$/, ''));
				const there = folders.find((folder) => target.startsWith(`${folder}/`));
				if (home !== undefined && there !== home) wrong(`reaches out of ${home} by the path ${specifier}`);
				else if (home === undefined && there !== undefined && !FOR_TESTS.test(path) && found.kind !== 'url')
					wrong(`reaches into ${there} by path; import it by name`);
				if (files.has(target)) {
					if (found.kind !== 'url') edges.push(target);
				} else if (/\.(m?[jt]s|vue)$/.test(target)) wrong(`imports ${target}, which is not there`);
			} else {
				const what = breach(path, specifier, found, home, manifests, byName, rules);
				if (what) wrong(what);
			}
		}
	}
	return [...violations, ...circles(graph).map((circle) => `circle: ${circle.join(' -> ')}`)];
}

/** What is wrong with one import by name; undefined when nothing is. */
function breach(
	path: string,
	specifier: string,
	found: Import,
	home: string | undefined,
	manifests: Repository['manifests'],
	byName: ReadonlyMap<string, string>,
	rules: Rule[],
): string | undefined {
	const manifest = home === undefined ? undefined : manifests.get(home);
	const rule = home === undefined ? undefined : rules.find(({ of }) => of.test(home));
	const forTests = FOR_TESTS.test(path);
	const name = packageOf(specifier);
	const bare = specifier.replace(/^node:/, '').split('/')[0]!;

	if (specifier.startsWith('node:') || BUILTINS.has(bare)) {
		if (!specifier.startsWith('node:')) return `imports ${specifier} without node: before it`;
		return rule?.builtins && !forTests && !rule.builtins.test(specifier)
			? `imports ${specifier}, but ${home} does no input or output`
			: undefined;
	}
	if (name.startsWith(SCOPE)) {
		const target = byName.get(name);
		if (target === undefined) return `imports ${name}, which is no workspace`;
		if (manifest !== undefined && manifest.name !== name) {
			const is = (one: string) => `${SCOPE}${one}` === name || `${SCOPE}${one}` === specifier;
			const allowed =
				(name === TESTING && forTests) ||
				rule?.may.some((one) =>
					typeof one === 'string' ? is(one) : is(one.workspace) && (forTests || one.only.test(path)),
				);
			if (!allowed) return `imports ${specifier}, which ${home} may not know${forTests ? '' : ' here'}`;
		}
		const exported = `.${specifier.slice(name.length)}`;
		if (!Object.hasOwn(manifests.get(target)?.exports ?? {}, exported))
			return `imports ${specifier}, which ${target} does not export`;
	} else if (rule?.packages && !forTests) {
		const where = rule.packages[name];
		if (!where) return `imports ${name}, which is not one of the packages of ${home}`;
		if (!where.test(path)) return `imports ${name} outside of its adapter`;
	}
	if (manifest === undefined || manifest.name === name) return undefined;
	// What Vite builds is bundled, what is a type is gone at run time, and tests run with everything.
	const isSource = path.includes('/src/') && !forTests;
	const lenient = !isSource || found.kind === 'type' || home === 'frontend';
	const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
	if (lenient) Object.assign(declared, manifest.devDependencies);
	if (!isSource) Object.assign(declared, manifests.get('')?.devDependencies);
	return (name === TESTING && forTests) || Object.hasOwn(declared, name)
		? undefined
		: `imports ${name}, which ${home}/package.json does not declare${lenient ? '' : ' in its dependencies'}`;
}

/** Every circle once, begun at its alphabetically first file. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
	const found = new Map<string, string[]>();
	const done = new Set<string>();
	const trail: string[] = [];
	const visit = (path: string) => {
		const at = trail.indexOf(path);
		if (at >= 0) {
			const circle = trail.slice(at);
			const first = circle.indexOf([...circle].sort()[0]!);
			const turned = [...circle.slice(first), ...circle.slice(0, first)];
			found.set(turned.join(), [...turned, turned[0]!]);
			return;
		}
		if (done.has(path)) return;
		trail.push(path);
		for (const next of graph.get(path) ?? []) visit(next);
		trail.pop();
		done.add(path);
	};
	for (const path of graph.keys()) visit(path);
	return [...found.values()];
}
