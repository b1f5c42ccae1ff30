/**
 * Everything that can be checked without running the product, side by side:  npm run check. Prints a line per check;
 * a failing one adds what it found, by file and line, and what is allowed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LICENCES, LISTED_IN, OVERSIZE, WIDE_LINES } from './checks/exceptions.ts';
import { repositoryFiles, repositoryPaths } from './checks/files.ts';
import { licenceProblems } from './checks/licences.ts';
import { widthProblems } from './checks/line-width.ts';
import { pageProblems } from './checks/pages.ts';
import { sizeProblems } from './checks/sizes.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');

/** What TypeScript found out is kept for the next run: a minute on a busy Pi becomes seconds. */
const keptIn = (name: string) => ['--incremental', '--tsBuildInfoFile', `node_modules/.cache/${name}`];

interface Check {
	/** A command, or a function that returns the problems it found. */
	run: string[] | (() => string[]);
	/** What is allowed, and how to get there. */
	allowed: string;
}

const paths = repositoryPaths(ROOT);
const files = repositoryFiles(ROOT, paths);
const lockText = files.find(({ path }) => path === 'package-lock.json')?.text ?? '{"packages":{}}';

/** The slow ones first: those that are commands run side by side, and the functions meanwhile. */
const CHECKS: Record<string, Check> = {
	types: {
		run: ['tsc', '-p', '.', ...keptIn('check.tsbuildinfo')],
		allowed: 'Code that TypeScript accepts with the options of tsconfig.json.',
	},
	...(existsSync(join(ROOT, 'frontend', 'tsconfig.json')) && {
		'types of the frontend': {
			run: ['node', 'scripts/vue-tsc.mjs', '--noEmit', '-p', 'frontend', ...keptIn('check-frontend.tsbuildinfo')],
			allowed: 'Code that TypeScript accepts with the options of frontend/tsconfig.json.',
		},
	}),
	'import rules': {
		run: ['vitest', 'run', 'test/rules/imports.test.ts'],
		allowed: 'Imports along the walls in test/rules/import-rules.ts, and none in a circle.',
	},
	'format and lint': {
		run: ['biome', 'check', '--error-on-warnings', '.'],
		allowed: 'Code that meets biome.json; `npm run format` rewrites what can be rewritten.',
	},
	'dead code': {
		run: ['knip', '--no-progress'],
		allowed:
			'Files, exports and dependencies that something uses; knip.config.ts tells what is started by its path. ' +
			'An export that only its own file uses loses the word.',
	},
	'generated documents': {
		run: ['node', 'scripts/docs.ts', '--check'],
		allowed: 'Documents as `node scripts/docs.ts` writes them from the code.',
	},
	'lock file': {
		run: ['npm', 'ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund'],
		allowed: 'A package-lock.json that agrees with every package.json; `npm install` writes it.',
	},
	'third-party notices': {
		run: ['node', 'scripts/notices.ts', '--check'],
		allowed: 'THIRD-PARTY-NOTICES as `node scripts/notices.ts` writes it from the lock file.',
	},
	'line width': {
		run: () => widthProblems(files, WIDE_LINES, LISTED_IN),
		allowed: `Lines of at most 120 columns, a tab counting 2; ${LISTED_IN} lists the few that cannot be broken.`,
	},
	sizes: {
		run: () => sizeProblems(files, OVERSIZE, LISTED_IN),
		allowed:
			'Files of at most 350 lines (tests 400), functions of 100 (tests 120), folders of 20 source files (and 40 of ' +
			'tests).',
	},
	pages: {
		run: () => pageProblems(files, paths),
		allowed: 'Markdown pages that name files, folders, headings and scripts that exist.',
	},
	licences: {
		run: () => licenceProblems(lockText, LICENCES, LISTED_IN),
		allowed: `Dependencies under a permissive licence, and those that ${LISTED_IN} names.`,
	},
};

/** Resolves with what the command printed, and whether it ended with 0. */
function runCommand([command, ...args]: string[]): Promise<{ ok: boolean; output: string }> {
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

/** Calls the function once the commands are started. */
async function runFunction(problems: () => string[]): Promise<{ ok: boolean; output: string }> {
	await new Promise(setImmediate);
	const found = problems();
	return { ok: found.length === 0, output: found.join('\n') };
}

const results = await Promise.all(
	Object.entries(CHECKS).map(async ([name, { run, allowed }]) => {
		const began = performance.now();
		const { ok, output } = await (typeof run === 'function' ? runFunction(run) : runCommand(run));
		const seconds = ((performance.now() - began) / 1000).toFixed(1);
		process.stdout.write(
			ok
				? `ok     ${name} (${seconds} s)\n`
				: `FAILED ${name} (${seconds} s)\n${output.trimEnd()}\nAllowed: ${allowed}\n\n`,
		);
		return ok;
	}),
);
process.exitCode = results.every(Boolean) ? 0 : 1;
