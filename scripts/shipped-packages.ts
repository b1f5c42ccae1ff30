/** An entry of `packages` in package-lock.json; only what counts here. */
export interface LockEntry {
	version?: string;
	license?: string;
	/** A workspace, at the path in `resolved`. */
	link?: boolean;
	resolved?: string;
	dependencies?: Record<string, string>;
	optionalDependencies?: Record<string, string>;
	os?: string[];
	cpu?: string[];
	libc?: string[];
}

/** By path: `node_modules/express`, `services/auth`, and the root under ''. */
export type Lock = Readonly<Record<string, LockEntry>>;

/** A workspace, as its path in the lock file. */
export const isWorkspace = (path: string) => path !== '' && !path.includes('node_modules/');

/**
 * Paths of the npm packages that `workspaces` need at run time, directly or not, sorted. Only the lock file decides, so
 * the answer is the same on every machine: packages for one platform (`os`, `cpu`, `libc`) are left out, and so are
 * optional packages that the lock file does not have.
 * @throws Error if the lock file lacks a dependency that is not optional.
 */
export function packagesOf(lock: Lock, workspaces: Iterable<string>): string[] {
	const found = new Set<string>();
	const visit = (path: string) => {
		const entry = lock[path]!;
		if (entry.link) return visit(entry.resolved!);
		if (found.has(path) || entry.os || entry.cpu || entry.libc) return;
		found.add(path);
		for (const name of Object.keys(entry.dependencies ?? {})) {
			const target = resolve(lock, path, name);
			// An optional dependency stands in both lists.
			if (target !== undefined) visit(target);
			else if (!entry.optionalDependencies?.[name]) throw new Error(`${path} needs ${name}, which the lock file lacks`);
		}
		for (const name of Object.keys(entry.optionalDependencies ?? {})) {
			const target = resolve(lock, path, name);
			if (target !== undefined) visit(target);
		}
	};
	for (const workspace of workspaces) visit(workspace);
	return [...found].filter((path) => !isWorkspace(path)).sort();
}

/** Where Node finds a package that the one at `from` imports: in its own node_modules, or the next one further up. */
function resolve(lock: Lock, from: string, name: string): string | undefined {
	for (let folder = from; ; ) {
		const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
		if (lock[path]) return path;
		if (folder === '') return undefined;
		const end = folder.lastIndexOf('node_modules/');
		folder = end > 0 ? folder.slice(0, end - 1) : '';
	}
}
