import { describe, expect, it } from 'vitest';
import { type Lock, packagesOf } from './shipped-packages.ts';

const LOCK: Lock = {
	'': {},
	'services/a': { dependencies: { '@x/shared': '*', web: '1' } },
	'packages/shared': { dependencies: { left: '1' } },
	tools: { dependencies: { tool: '1' } },
	'node_modules/@x/shared': { link: true, resolved: 'packages/shared' },
	'node_modules/left': { version: '1.0.0' },
	'node_modules/web': {
		version: '1.0.0',
		dependencies: { left: '2', fast: '1', gone: '1' },
		optionalDependencies: { fast: '1', gone: '1', '@web/linux': '1' },
	},
	'node_modules/web/node_modules/left': { version: '2.0.0', dependencies: { web: '1' } },
	'node_modules/@web/linux': { version: '1.0.0', os: ['linux'], dependencies: { deep: '1' } },
	'node_modules/deep': { version: '1.0.0' },
	'node_modules/fast': { version: '1.0.0' },
	'node_modules/tool': { version: '1.0.0' },
};

describe('the packages that a workspace ships', () => {
	it('are its dependencies and theirs, each the version that Node would find', () => {
		expect(packagesOf(LOCK, ['services/a'])).toEqual([
			'node_modules/fast',
			'node_modules/left',
			'node_modules/web',
			'node_modules/web/node_modules/left',
		]);
	});

	it('do not depend on the platform: packages for one operating system are left out, with what only they need', () => {
		const elsewhere: Lock = { ...LOCK, 'node_modules/@web/linux': { version: '1.0.0', os: ['darwin'] } };
		expect(packagesOf(elsewhere, ['services/a'])).toEqual(packagesOf(LOCK, ['services/a']));
	});

	it('cannot be listed while the lock file lacks one of them', () => {
		const { 'node_modules/left': _, ...broken } = LOCK;
		expect(() => packagesOf(broken, ['services/a'])).toThrow('packages/shared needs left, which the lock file lacks');
	});
});
