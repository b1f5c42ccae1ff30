/**
 * Format, lint, types and import rules, side by side:  npm run check. Prints a line per check, and everything that a
 * failing one says.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');

const CHECKS: Record<string, string[]> = {
	'format and lint': ['biome', 'check', '--error-on-warnings', '.'],
	// What it found out before is kept: a minute on a busy Pi becomes seconds.
	types: ['tsc', '-p', '.', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/check.tsbuildinfo'],
	...(existsSync(join(ROOT, 'frontend', 'tsconfig.json')) && {
		'types of the frontend': ['node', 'scripts/vue-tsc.mjs', '--noEmit', '-p', 'frontend'],
	}),
	'lock file': ['npm', 'ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund'],
	'import rules': ['vitest', 'run', 'test/imports.test.ts'],
};

/** Resolves with what the command printed, and whether it ended with 0. */
function run([command, ...args]: string[]): Promise<{ ok: boolean; output: string }> {
	return new Promise((resolve) => {
		const child = spawn(command!, args, {
			cwd: ROOT,
			env: {
				...process.env,
				PATH: `${BIN}${delimiter}${process.env.PATH}`,
				...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		let output = '';
		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
		child.once('error', (error) => resolve({ ok: false, output: error.message }));
		child.once('close', (code) => resolve({ ok: code === 0, output }));
	});
}

const results = await Promise.all(
	Object.entries(CHECKS).map(async ([name, command]) => {
		const began = performance.now();
		const { ok, output } = await run(command);
		process.stdout.write(
			`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)\n${ok ? '' : `${output}\n`}`,
		);
		return ok;
	}),
);
process.exitCode = results.every(Boolean) ? 0 : 1;
