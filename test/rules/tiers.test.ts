import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { describe, expect, it } from 'vitest';
import { importsOf } from './imports.ts';

/** Shared test tools that start a program, open a port, or bring in something that does. */
const SERVERS = ['caddy', 'chromium', 'engines', 'mongod', 'mosquitto', 'processes', 'redis-server', 'service-world'];
const SERVER_IMPORTS = new Set(SERVERS.map((name) => `@crowdvision/testing/${name}`));
const IN_A_TIER = /\.(integration|browser|faults)\.test\.ts$|^edge-gateway\/test\/|^test\//;
/** What starts a process, a thread or a port: a log commits and SQLite writes in a thread, on the disk. */
const STARTERS = [
	'child_process',
	'node:worker_threads',
	'startCommitWorker',
	'LogWorld',
	'sqliteStores',
	'openStores',
	'createNullModem',
	'createServer',
	'ControlSocket',
];
/** Unit tests that ask git for the names of the files. */
const ASK_GIT = new Set(['test/rules/imports.test.ts', 'test/rules/tiers.test.ts']);
/** Files that only tests load. */
const FOR_TESTS = /\.(test|conformance|fixture)\.ts$|\/testing\//;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
	cwd: ROOT,
	encoding: 'utf8',
})
	.split('\n')
	.filter((path) => path !== '');

/** How a test comes to a server: the files in between, ending in the import; undefined where it does not. */
function wayToServer(path: string, seen = new Set<string>()): string | undefined {
	if (seen.has(path)) return undefined;
	seen.add(path);
	for (const { specifier, kind } of importsOf(path, readFileSync(join(ROOT, path), 'utf8'))) {
		if (specifier === undefined || kind === 'type') continue;
		if (SERVER_IMPORTS.has(specifier)) return `${path} -> ${specifier}`;
		const target = posix.join(posix.dirname(path), specifier);
		if (!specifier.startsWith('.') || !FOR_TESTS.test(target) || !tracked.includes(target)) continue;
		const further = wayToServer(target, seen);
		if (further !== undefined) return `${path} -> ${further}`;
	}
	return undefined;
}

const units = tracked.filter(
	(path) => path.endsWith('.test.ts') && (!IN_A_TIER.test(path) || /^test\/(rules|docs)\/[^./]+\.test\.ts$/.test(path)),
);

describe('tiers of tests', () => {
	it('have no unit test that starts a server', () => {
		expect(units.length).toBeGreaterThan(80);
		expect(units.map((path) => wayToServer(path)).filter((way) => way !== undefined)).toEqual([]);
	});

	it('have no unit test that starts a process or a thread, opens a log or a store, or listens', () => {
		const starts = units
			.filter((path) => !ASK_GIT.has(path))
			.flatMap((path) => {
				const text = readFileSync(join(ROOT, path), 'utf8');
				return STARTERS.filter((name) => new RegExp(`\\b${name}\\b`).test(text)).map((name) => `${path} uses ${name}`);
			});
		expect(starts).toEqual([]);
	});

	it('have every browser test under a name that says so', () => {
		const named = /\.browser\.test\.ts$|^test\/compose\/|^packages\/testing\//;
		const drivers = tracked.filter(
			(path) =>
				path.endsWith('.test.ts') &&
				!named.test(path) &&
				importsOf(path, readFileSync(join(ROOT, path), 'utf8')).some(
					({ specifier }) => specifier === '@crowdvision/testing/chromium',
				),
		);
		expect(drivers).toEqual([]);
	});
});
