import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { expect, it } from 'vitest';
import { DEMO_BUILDING, VISITOR_ROOM } from '../../demo/building.ts';
import { examples } from '../../demo/examples.ts';

it('the generated pages are up to date', () => {
	const { status, stdout } = spawnSync(process.execPath, ['scripts/docs.ts', '--check'], {
		cwd: ROOT,
		encoding: 'utf8',
	});
	expect(stdout).toBe('');
	expect(status).toBe(0);
});

it('the README shows the same example for each way in as npm start prints', () => {
	const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
	const lines = examples({
		http: 'http://127.0.0.1:8080',
		mqtt: 'mqtt://127.0.0.1:1883',
		dataDir: 'data',
		deviceId: 'demo-device',
		serial: join(process.cwd(), 'data/serial/try'),
	});
	for (const line of lines.filter((text) => text.startsWith('  '))) expect(readme).toContain(line.trim());
	expect(DEMO_BUILDING.rooms.map(({ id }) => id)).toContain(VISITOR_ROOM);
});

const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' })
	.split('\n')
	.filter((path) => path !== '');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

it.each(pages)('%s links only to files and headings that exist', (page) => {
	// As GitHub makes them: lower case, without punctuation, spaces as hyphens.
	const anchorsOf = (path: string) =>
		[...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
			heading!
				.toLowerCase()
				.replaceAll(/[^\p{L}\p{N} _-]/gu, '')
				.replaceAll(' ', '-'),
		);
	const text = read(page).replaceAll(/^```[\s\S]*?^```/gm, '');
	for (const [link, target] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
		const [path, anchor] = target!.split('#');
		const file = path === '' ? page : join(dirname(page), path!);
		expect(existsSync(join(ROOT, file)), `${page}: ${link}`).toBe(true);
		if (anchor !== undefined) expect(anchorsOf(file), `${page}: ${link}`).toContain(anchor);
	}
});

it.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md'])('%s names only scripts that package.json has', (page) => {
	const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
	for (const [, name] of read(page).matchAll(/npm run (?:--\w+ )?([a-z:]+)/g)) expect(scripts).toHaveProperty(name!);
});

/** Paths in backquotes, such as `edge-gateway/test/{mqtt,serial}/`: each of its spellings. */
function pathsIn(page: string): string[] {
	const spellings = (path: string): string[] => {
		const braces = /\{([^}]+)\}/.exec(path);
		if (!braces) return [path];
		return braces[1]!.split(',').flatMap((one) => spellings(path.replace(braces[0], one)));
	};
	return [...read(page).matchAll(/`([a-z.][\w{},.-]*\/[\w{},./-]*)`/g)].flatMap(([, path]) => spellings(path!));
}

it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('%s names only files and folders that exist', (page) => {
	const roots = [ROOT, join(ROOT, 'edge-gateway/src'), join(ROOT, 'edge-gateway/src/sources/mqtt')];
	const paths = pathsIn(page);
	expect(paths.length).toBeGreaterThan(20);
	const isThere = (path: string) => roots.some((root) => existsSync(join(root, path)));
	expect(paths.filter((path) => !isThere(path))).toEqual([]);
});

it.each(pages)('%s names no source file or folder that is not there', (page) => {
	const sources = /^(packages|edge-gateway|services|firmware-sim|frontend|test|scripts|bench|deploy|docs)\//;
	const named = pathsIn(page).filter((path) => sources.test(path));
	expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
