import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, syncPath, writeAtomicallySync } from '../files/write-atomically.ts';

/** The JWT secret from the environment, or else the one stored in `dataDir`. */
export function loadSecret(fromEnvironment: string | undefined, dataDir: string): string {
	return fromEnvironment ?? storedSecret(dataDir, 'jwt-secret');
}

/**
 * The secret in the file `name` of `dataDir` (mode 0600). Created at the first start: 64 random characters, on disk
 * when this returns. Processes that start at once get the same secret.
 */
export function storedSecret(dataDir: string, name: string): string {
	const path = join(dataDir, name);
	const stored = read(path);
	if (stored !== undefined && isWhole(stored)) return stored;
	makeFolder(dataDir);
	const secret = randomBytes(48).toString('base64url');
	const own = `${path}.${process.pid}`;
	writeAtomicallySync(own, `${secret}\n`);
	try {
		if (stored === undefined) take(own, path);
		else renameSync(own, path);
	} finally {
		rmSync(own, { force: true });
	}
	syncPath(dataDir);
	return read(path)!;
}

/** The text of the file; undefined when there is none. */
function read(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8').trim();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
		return undefined;
	}
}

/** An earlier version could leave part of a secret when the power went. */
const isWhole = (secret: string) => secret.length >= 32;

/** Gives a file its name, unless another process has just created a file of that name. */
function take(from: string, to: string): void {
	try {
		linkSync(from, to);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST') return;
		// Some file systems, as those of USB sticks, know no links.
		renameSync(from, to);
	}
}
