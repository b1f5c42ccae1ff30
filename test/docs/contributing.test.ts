import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { expect, it } from 'vitest';

const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const section = page.slice(page.indexOf('## Find what you want'), page.indexOf('## Run one test'));

/** The paths of a row, each below the folder named above the table, the folder of the path before it, or the root. */
function* missing(text: string): Generator<string> {
	let folder = '';
	for (const line of text.split('\n')) {
		if (line.endsWith(':')) folder = /`([^`]+)`/.exec(line)?.[1] ?? '';
		const decided = /^\|.*\|(.*)\|$/.exec(line)?.[1] ?? '';
		let beside = '';
		for (const [, path] of decided.matchAll(/`([^`]+)`/g)) {
			if (/[<{*]/.test(path!)) continue;
			const found = ['', folder, beside].map((base) => join(base, path!)).find((each) => existsSync(join(ROOT, each)));
			if (found) beside = dirname(found);
			else if (!['settings.ts', 'metrics.ts'].includes(path!)) yield path!;
		}
	}
}

it('CONTRIBUTING.md names only files that exist, where it says what is decided where', () => {
	expect(section.match(/^\| /gm)!.length).toBeGreaterThan(50);
	expect([...missing(section)]).toEqual([]);
	expect([...missing(section.replace('log/relay.ts', 'log/relais.ts'))]).toEqual(['log/relais.ts']);
});
