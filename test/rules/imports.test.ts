import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { describe, expect, it } from 'vitest';
import { importViolations, type Manifest, type Repository } from './import-rules.ts';
import { GATEWAY_WALLS, roomCycles, wallViolations } from './walls.ts';

const SOURCES = ['*.ts', '*.mts', '*.js', '*.mjs', '*.vue'];

/** This repository: what git knows or would take. */
function thisRepository(): Repository {
	const list = (...patterns: string[]) =>
		execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...patterns], {
			cwd: ROOT,
			encoding: 'utf8',
		})
			.split('\0')
			.filter((path) => path !== '' && existsSync(join(ROOT, path)));
	const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
	const manifests = list('package.json', '**/package.json').map((path): [string, Manifest] => [
		dirname(path) === '.' ? '' : dirname(path),
		JSON.parse(read(path)),
	]);
	return { files: new Map(list(...SOURCES).map((path) => [path, read(path)])), manifests: new Map(manifests) };
}

const REPOSITORY = thisRepository();

const workspace = (
	name: string,
	dependencies: Record<string, string> = {},
	devDependencies: Record<string, string> = {},
): Manifest => ({
	name: `@crowdvision/${name}`,
	exports: { '.': './src/index.ts' },
	dependencies,
	devDependencies,
});

/** A small repository in which all is well, with some files changed or added. */
function madeUp(changed: Record<string, string>): Repository {
	const contracts = { '@crowdvision/contracts': '*' };
	return {
		files: new Map(
			Object.entries({
				'standalone.ts': "import '@crowdvision/twin'; import '@crowdvision/edge-gateway';",
				'packages/contracts/src/index.ts': "import Type from 'typebox'; export * from './reading/reading.ts';",
				'packages/contracts/src/reading/reading.ts': 'export const reading = 1;',
				'packages/log/src/index.ts': "import { open } from 'node:fs/promises'; export { open };",
				'packages/bus/src/index.ts':
					"export * from './redis/redis-bus.ts'; export * from './embedded/embedded-bus.ts';",
				'packages/bus/src/redis/redis-bus.ts': "import { Redis } from 'ioredis'; export { Redis };",
				'packages/bus/src/embedded/embedded-bus.ts': "export * from '@crowdvision/log';",
				'services/twin/src/index.ts': "import { reading } from '@crowdvision/contracts'; export { reading };",
				'services/auth/src/index.ts': 'export {};',
				'edge-gateway/src/index.ts': "import '@crowdvision/log';",
				'frontend/src/page.vue':
					"<template><p>import 'fs'</p></template>\n" +
					'<script setup lang="ts">\nimport { ref } from \'vue\';\nref(1);\n</script>',
				'packages/testing/src/wait.ts': 'export const wait = 1;',
				'services/twin/src/index.test.ts':
					"import { it } from 'vitest'; import { wait } from '@crowdvision/testing/wait'; it('', () => wait);",
				...changed,
			}),
		),
		manifests: new Map<string, Manifest>([
			['', { name: 'crowdvision', devDependencies: { vitest: '1' } }],
			['packages/contracts', workspace('contracts', { typebox: '1' })],
			['packages/log', workspace('log', contracts)],
			['packages/bus', workspace('bus', { ...contracts, '@crowdvision/log': '*', ioredis: '1', pino: '1' })],
			['packages/testing', { name: '@crowdvision/testing', exports: { './wait': './src/wait.ts' } }],
			['services/twin', workspace('twin', contracts, { mqtt: '1' })],
			['services/auth', workspace('auth', { ...contracts, '@crowdvision/twin': '*' })],
			['edge-gateway', workspace('edge-gateway', { ...contracts, '@crowdvision/log': '*' })],
			['frontend', workspace('frontend', {}, { vue: '1' })],
		]),
	};
}

describe('import rules', () => {
	it('hold in this repository', () => {
		expect(importViolations(REPOSITORY)).toEqual([]);
	});

	it('cover the whole repository', () => {
		const { files, manifests } = REPOSITORY;
		expect([...manifests.keys()]).toEqual(
			expect.arrayContaining(['', 'packages/contracts', 'edge-gateway', 'frontend', 'services/twin']),
		);
		expect([...files.keys()]).toEqual(
			expect.arrayContaining(['packages/contracts/src/index.ts', 'packages/bus/src/bus.ts', 'scripts/setup.mjs']),
		);
	});

	it('accept a repository that keeps them', () => {
		expect(importViolations(madeUp({}))).toEqual([]);
	});

	it.each<[string, Record<string, string>, string]>([
		[
			'contracts that read a file',
			{ 'packages/contracts/src/a.ts': "import { readFileSync } from 'node:fs';" },
			'does no input or output',
		],
		[
			'contracts with another library',
			{ 'packages/contracts/src/a.ts': "import { z } from 'zod';" },
			'not one of the packages',
		],
		['a built-in without node:', { 'packages/log/src/a.ts': "import 'fs';" }, 'without node:'],
		[
			'a driver outside of its adapter',
			{ 'packages/bus/src/bus.ts': "import type { Redis } from 'ioredis';" },
			'outside of its adapter',
		],
		[
			'a driver that is not declared here',
			{ 'packages/bus/src/redis/redis-bus.ts': "import 'redis';" },
			'not one of the packages',
		],
		[
			'the log outside of the embedded adapter',
			{ 'packages/bus/src/redis/redis-bus.ts': "import '@crowdvision/log';" },
			'may not know here',
		],
		['a service that knows another', { 'services/auth/src/a.ts': "import '@crowdvision/twin';" }, 'may not know'],
		[
			'a service that knows another, by path',
			{ 'services/auth/src/a.ts': "export * from '../../twin/src/index.ts';" },
			'reaches out of services/auth',
		],
		[
			'a service that knows another, later',
			{ 'services/auth/src/a.ts': "const later = () => import('@crowdvision/twin');" },
			'may not know',
		],
		[
			'a service that knows another, as a type',
			{ 'services/auth/src/a.ts': "type T = import('@crowdvision/twin').T;" },
			'may not know',
		],
		[
			'a service that knows another, by require',
			{ 'services/auth/src/a.ts': "require('@crowdvision/twin');" },
			'may not know',
		],
		[
			'a test that knows another service',
			{ 'services/auth/src/a.test.ts': "import '@crowdvision/twin';" },
			'may not know',
		],
		[
			'a worker of another workspace',
			{ 'edge-gateway/src/a.ts': "new URL('../../packages/log/src/index.ts', import.meta.url);" },
			'reaches out of',
		],
		[
			'the gateway in a component',
			{ 'frontend/src/a.vue': '<script setup lang="ts">\nimport \'@crowdvision/edge-gateway\';\n</script>' },
			':2 imports',
		],
		['a package nobody declared', { 'services/twin/src/a.ts': "import 'express';" }, 'does not declare'],
		['a package declared for tests only', { 'services/twin/src/a.ts': "import 'mqtt';" }, 'in its dependencies'],
		[
			'an inner file of another workspace',
			{ 'services/twin/src/a.ts': "import '@crowdvision/contracts/src/reading.ts';" },
			'does not export',
		],
		['a computed import', { 'services/twin/src/a.ts': "const name = 'x'; import(name);" }, 'computed'],
		[
			'test support outside of tests',
			{ 'services/twin/src/a.ts': "import '@crowdvision/testing/wait';" },
			'may not know here',
		],
		['a file that is not there', { 'services/twin/src/a.ts': "import './b.ts';" }, 'is not there'],
		[
			'two files in a circle',
			{ 'packages/log/src/a.ts': "import './b.ts';", 'packages/log/src/b.ts': "import './a.ts';" },
			'circle: packages/log/src/a.ts -> packages/log/src/b.ts',
		],
	])('reject %s', (_what, changed, says) => {
		const violations = importViolations(madeUp(changed));
		expect(violations).toHaveLength(1);
		expect(violations[0]).toContain(says);
	});

	it('reject a workspace without a rule', () => {
		const repository = madeUp({});
		const manifests = new Map([...repository.manifests, ['packages/more', workspace('more')] as const]);
		expect(importViolations({ ...repository, manifests })).toEqual([
			'packages/more/package.json: no rule says what this workspace may import',
		]);
	});

	it('pin every package to one exact version', () => {
		const loose = [...REPOSITORY.manifests].flatMap(([folder, { dependencies, devDependencies }]) =>
			Object.entries({ ...dependencies, ...devDependencies })
				.filter(
					([name, version]) => !(name.startsWith('@crowdvision/') ? version === '*' : /^\d+\.\d+\.\d+/.test(version)),
				)
				.map(([name, version]) => `${folder || 'the root'}: ${name} ${version}`),
		);
		expect(loose).toEqual([]);
	});

	it('keep every folder of a workspace free of cycles, and the rooms of the gateway within their walls', () => {
		const { files, manifests } = REPOSITORY;
		const roots = [...manifests.keys()].filter((folder) => folder !== '').map((folder) => `${folder}/src`);
		expect(roots.flatMap((root) => roomCycles(files, root))).toEqual([]);
		expect(wallViolations(files, 'edge-gateway/src', GATEWAY_WALLS)).toEqual([]);
	});

	it('report a new arrow between rooms, a gone one, an unlisted room and a cycle of rooms', () => {
		const files = new Map([
			['g/src/main.ts', "import './a/one.ts';"],
			['g/src/a/one.ts', "import '../b/two.ts';"],
			['g/src/a/three.ts', ''],
			['g/src/b/two.ts', "import '../a/three.ts';"],
			['g/src/b/two.test.ts', "import '../c/four.ts';"],
			['g/src/c/four.ts', ''],
		]);
		expect(wallViolations(files, 'g/src', { 'main.ts': 'a', a: '', b: 'a c', d: '' })).toEqual([
			'g/src/a/one.ts -> g/src/b/two.ts: a may not import b',
			'g/src/b: no longer imports c; take it off the walls',
			'g/src/c: the table of walls has no entry for it',
			'g/src/d: is in the table of walls, but is not there',
		]);
		expect(roomCycles(files, 'g/src')).toEqual([
			'cycle of folders in g/src: a -> b -> a (g/src/a/one.ts -> g/src/b/two.ts, g/src/b/two.ts -> g/src/a/three.ts)',
		]);
	});
});
