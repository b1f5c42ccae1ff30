import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { KnipConfig } from 'knip';

/** How code, images and guides start a program of this repository; the group is its path from the root. */
const STARTS = [
	/\b(?:startNode|startProgram|prepareGateway|process\.execPath)\b[^;]*?['"]([\w-]+(?:\/[\w.-]+)+\.m?[jt]s)['"]/g,
	/\bnode,? ([\w-]+(?:\/[\w.-]+)+\.m?[jt]s)\b/g,
];

const tracked = (...patterns: string[]) =>
	execFileSync('git', ['ls-files', '-z', '--', ...patterns], { cwd: import.meta.dirname, encoding: 'utf8' })
		.split('\0')
		.filter((path) => path !== '');

/** Folders of the workspaces, and `.` for the root. */
const workspaces = tracked('package.json', '*/package.json').map((path) => dirname(path));

/**
 * Programs that no import and no script of package.json names, by workspace, relative to it: tests, benches, images and
 * guides start them by their path.
 */
function startedByPath(): Map<string, string[]> {
	const files = new Set(tracked());
	const entries = new Map(workspaces.map((folder): [string, string[]] => [folder, []]));
	const found = new Set<string>();
	for (const path of tracked('*.ts', '*.yml', '*.md', 'Dockerfile')) {
		const text = readFileSync(path, 'utf8');
		for (const pattern of STARTS) for (const [, program] of text.matchAll(pattern)) found.add(program!);
	}
	for (const path of found) {
		if (!files.has(path)) continue;
		const home = workspaces.find((folder) => path.startsWith(`${folder}/`)) ?? '.';
		entries.get(home)!.push(home === '.' ? path : path.slice(home.length + 1));
	}
	return entries;
}

const config: KnipConfig = {
	// All workspaces are private: what they export to nobody is dead.
	includeEntryExports: true,
	// An exported function may name its own types without exporting each to somebody.
	ignoreExportsUsedInFile: { interface: true, type: true },
	treatConfigHintsAsErrors: true,
	// Programs of the system that tests and benches start.
	ignoreBinaries: ['mosquitto_passwd', 'openssl', 'script', 'taskset'],
	ignoreDependencies: [
		// Loaded by a computed require: a suite, a schema and tools that stand beside others of the same name.
		'aedes-persistence',
		'@asyncapi/specs',
		'mongodb-memory-server-core',
		'vue-tsc',
	],
	workspaces: Object.fromEntries([...startedByPath()].map(([folder, entry]) => [folder, { entry }])),
};

export default config;
