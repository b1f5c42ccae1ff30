import { describe, expect, it } from 'vitest';
import { type LicenceException, licenceProblems } from './licences.ts';

const LIST = 'list.ts';
const check = (packages: Record<string, object>, exceptions: LicenceException[] = []) =>
	licenceProblems(JSON.stringify({ packages }, null, '\t'), exceptions, LIST);
const one = (license?: string) => check({ 'node_modules/one': { version: '1.0.0', license } });
const ofMpl = (name: string): LicenceException => ({ name, licence: 'MPL-2.0', why: 'a try' });

describe('the check of licences', () => {
	it.each([
		'MIT',
		'ISC',
		'Apache-2.0',
		'(MIT OR GPL-3.0)',
		'GPL-3.0 OR (MIT AND ISC)',
		'(Apache-2.0 AND BSD-3-Clause)',
	])('allows a package under %s', (license) => {
		expect(one(license)).toEqual([]);
	});

	it.each(['GPL-3.0', 'MIT AND GPL-3.0', 'MPL-2.0', '(MIT', '', 'SEE LICENSE IN LICENSE'])(
		'does not allow a package under %j',
		(license) => {
			expect(one(license)).toHaveLength(1);
		},
	);

	it('names the line of the lock file, the package, its licence and what is allowed', () => {
		const [problem] = check({
			'node_modules/fine': { version: '1.0.0', license: 'MIT' },
			'node_modules/a/node_modules/@scope/one': { version: '2.1.0', license: 'AGPL-3.0' },
		});
		expect(problem).toMatch(/^package-lock\.json:7: @scope\/one 2\.1\.0 is under AGPL-3\.0; allowed are 0BSD, .*MIT/);
	});

	it('does not allow a package that names no licence', () => {
		expect(one()).toEqual([expect.stringContaining('one 1.0.0 is under no licence that its package.json names')]);
	});

	it('leaves out the workspaces and the links to them', () => {
		expect(check({ '': {}, 'services/twin': {}, 'node_modules/@crowdvision/twin': { link: true } })).toEqual([]);
	});

	it('allows a listed package under the licence of the list, and under no other', () => {
		const packages = (license: string) => ({ 'node_modules/one-linux-x64': { version: '1.0.0', license } });
		expect(check(packages('MPL-2.0'), [ofMpl('one-*')])).toEqual([]);
		expect(check(packages('GPL-3.0'), [ofMpl('one-*')])).toHaveLength(2);
	});

	it('reports an entry of the list that is not needed', () => {
		expect(check({}, [ofMpl('one')])).toEqual(['list.ts: no package one is under MPL-2.0: remove the entry']);
	});
});
