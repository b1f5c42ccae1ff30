import { describe, expect, it } from 'vitest';
import { pageProblems } from './pages.ts';

const FILES = [
	{ path: 'package.json', text: '{"scripts": {"test:unit": "vitest"}}' },
	{ path: 'docs/guide.md', text: '# The guide\n\n## What you need, and why' },
	{ path: 'test/rules/walls.ts', text: '' },
	{ path: 'edge-gateway/src/decode/decoders.ts', text: '' },
];
const check = (text: string, path = 'README.md') => {
	const files = [...FILES, { path, text }];
	return pageProblems(files, [...files.map((file) => file.path), 'docs/picture.png']);
};

describe('the Markdown pages', () => {
	it('may link to files, folders, pictures and headings that exist', () => {
		expect(
			check('[a](docs/guide.md) [b](docs/guide.md#what-you-need-and-why) [c](docs) ![d](docs/picture.png)'),
		).toEqual([]);
		expect(check('[a](../README.md) [b](guide.md) [c](https://example.org/x.md)', 'docs/other.md')).toEqual([
			'docs/other.md:1: links to README.md, which is not there',
		]);
	});

	it('are refused with the line of a link to a file or a heading that does not exist', () => {
		expect(check('one\n[a](docs/gone.md)\n[b](docs/guide.md#gone)')).toEqual([
			'README.md:2: links to docs/gone.md, which is not there',
			'README.md:3: links to the heading gone, which docs/guide.md does not have',
		]);
	});

	it('name only source files and folders that exist, each spelling of braces for itself', () => {
		expect(check('`test/rules/` `test/rules/walls.ts` `and/or` `telemetry/{building}`')).toEqual([]);
		expect(check('`test/{rules,gone}/`')).toEqual(['README.md:1: names test/gone/, which is not there']);
	});

	it('may name paths of the gateway without its folder in ARCHITECTURE.md, and there all paths must exist', () => {
		expect(check('`decode/decoders.ts` `gone/`', 'ARCHITECTURE.md')).toEqual([
			'ARCHITECTURE.md:1: names gone/, which is not there',
		]);
	});

	it('name only scripts of package.json, also within code', () => {
		expect(check('```sh\nnpm run test:unit\nnpm run gone\n```')).toEqual([
			'README.md:3: package.json has no script gone',
		]);
	});

	it('may write anything else in code', () => {
		expect(check('```\n[a](gone.md) `test/gone`\n```')).toEqual([]);
	});
});
