// What the parts of setup.mjs share: running a program, and saying so.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What is fetched or built once; git ignores it. */
export const CACHE = join(ROOT, '.cache');
export const NODE = join(ROOT, 'node_modules', '.bin', 'node');

export const say = (line) => process.stderr.write(`setup: ${line}\n`);
export const readJson = (path) => {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch {
		return undefined;
	}
};

/** Runs a command in silence. @throws with everything it printed. */
export function run(command, args, options = {}) {
	const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
		cwd: ROOT,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
		maxBuffer: 64 << 20,
		...options,
	});
	if (error || status !== 0) {
		const why = error ? error.message : `ended with ${signal ?? status}`;
		throw new Error(`${command} ${args.join(' ')} ${why}\n${stdout ?? ''}${stderr ?? ''}`);
	}
	return stdout;
}

/** Runs a step that takes a while, with one line before it and one after. */
export function step(what, action) {
	const began = Date.now();
	say(`${what} …`);
	action();
	say(`${what}: done in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

export function nodeVersion(path) {
	const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
	return status === 0 ? stdout.trim() : undefined;
}

/** Whether a program is installed, looked for where daemons live too. */
export const installed = (program) =>
	[...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].some((folder) =>
		existsSync(join(folder, program)),
	);
