import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A text file of the repository. */
export interface TextFile {
	/** Relative to the root, with `/`. */
	path: string;
	text: string;
}

/** Paths of every file that git tracks or would track, relative to the root, with `/`. */
export function repositoryPaths(root: string): string[] {
	return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
		cwd: root,
		encoding: 'utf8',
	})
		.split('\0')
		.filter((path) => path !== '' && lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile());
}

/** Every text file among them. A file with a NUL byte is binary and left out. */
export function repositoryFiles(root: string, paths = repositoryPaths(root)): TextFile[] {
	return paths
		.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
		.filter(({ text }) => !text.includes('\0'));
}
