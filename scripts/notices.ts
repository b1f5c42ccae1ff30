/**
 * Writes THIRD-PARTY-NOTICES: the npm packages that ship with CrowdVision, each with its licence text. They are what
 * the workspaces need at run time, by package-lock.json, and what Vite bundles into the page.
 * `node scripts/notices.ts --check` writes nothing, and exits 1 if the file is not up to date. Both exit 1 if a package
 * has no licence text.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWorkspace, type Lock, packagesOf } from './shipped-packages.ts';

const ROOT = join(import.meta.dirname, '..');
const FILE = 'THIRD-PARTY-NOTICES';
const PAGE = 'frontend';

const RULE = '-'.repeat(80);
const INTRODUCTION = `\
CrowdVision is licensed under the MIT licence; see LICENSE. The packages below are by others and come with it: in
the page that browsers load ("page"), or in the processes of the gateway, the services and the simulator ("server").

Made by \`node scripts/notices.ts\` from package-lock.json. Do not edit.`;

interface Shipped {
	/** Path in the lock file. */
	path: string;
	name: string;
	version: string;
	licence: string;
	where: string[];
}

const readJson = <T>(path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;

/** Name and version of each package that Vite bundles into the page, as `vue@3.5.45`. */
function bundled(): Set<string> {
	const folder = mkdtempSync(join(tmpdir(), 'crowdvision-notices-'));
	try {
		const { status, stderr, error } = spawnSync(
			process.execPath,
			['node_modules/vite/bin/vite.js', 'build', PAGE, '--mode', 'notices', '--outDir', folder, '--logLevel', 'warn'],
			{ cwd: ROOT, encoding: 'utf8' },
		);
		if (status !== 0) throw new Error(`the page does not build: ${error?.message ?? stderr}`);
		const packages = JSON.parse(readFileSync(join(folder, 'bundled.json'), 'utf8')) as {
			name: string;
			version: string;
		}[];
		return new Set(packages.map(({ name, version }) => `${name}@${version}`));
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Every shipped package, sorted by name and version. The same version at two paths counts once. */
function shipped(lock: Lock): Shipped[] {
	const server = new Set(
		packagesOf(
			lock,
			Object.keys(lock).filter((path) => isWorkspace(path) && path !== PAGE),
		),
	);
	const inPage = bundled();
	const found = new Map<string, Shipped>();
	for (const [path, { version, license, link }] of Object.entries(lock)) {
		if (link || !version || path === '' || isWorkspace(path)) continue;
		const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
		const id = `${name}@${version}`;
		const where = [...(inPage.has(id) ? ['page'] : []), ...(server.has(path) ? ['server'] : [])];
		if (where.length === 0) continue;
		const same = found.get(id);
		if (same) same.where = [...new Set([...same.where, ...where])].sort();
		else {
			const licence = (license ?? declaredLicence(path)).replace(/^\((.*)\)$/, '$1');
			found.set(id, { path, name, version, licence, where });
		}
	}
	const unknown = [...inPage].filter((id) => !found.has(id) && !id.startsWith('@crowdvision/'));
	if (unknown.length > 0) throw new Error(`in the page, but not in package-lock.json: ${unknown.join(', ')}`);
	return [...found.values()].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
}

/** By code units: the order does not depend on the machine's language. */
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** For packages so old that npm does not copy their `licenses` into the lock file. */
function declaredLicence(path: string): string {
	const { licenses } = readJson<{ licenses?: { type: string }[] }>(join(path, 'package.json'));
	return licenses?.map(({ type }) => type).join(' OR ') ?? 'unknown';
}

/** The licence files of a package; without any, the licence comments at the head of its source files. */
function noticeOf(path: string): string {
	const folder = join(ROOT, path);
	const files = readdirSync(folder).filter((name) => /licen[cs]e|^copying|^notice|^copyright/i.test(name));
	const texts = files.sort(compare).map((name) => tidy(readFileSync(join(folder, name), 'utf8')));
	return (texts.length > 0 ? texts : sourceNotices(folder)).join('\n\n');
}

function sourceNotices(folder: string): string[] {
	const notices = new Set<string>();
	for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort(compare)) {
		if (!/\.[cm]?js$/.test(name)) continue;
		const text = readFileSync(join(folder, name), 'utf8');
		for (const [comment] of text.matchAll(/^(?:\/\/.*\n)+|^\/\*[\s\S]*?\*\//gm)) {
			if (/copyright/i.test(comment)) notices.add(tidy(comment.replace(/^ ?(?:\/\/|\/\*+|\*+\/|\*) ?/gm, '')));
		}
	}
	return [...notices].sort(compare);
}

const tidy = (text: string) =>
	text
		.replace(/^\uFEFF/, '')
		.replaceAll(/\r\n?/g, '\n')
		.replaceAll(/[ \t]+$/gm, '')
		.replaceAll(/^\n+|\n+$/g, '');

function document(packages: Shipped[]): string {
	const byText = Map.groupBy(packages, ({ path }) => noticeOf(path));
	const line = ({ name, version, licence, where }: Shipped) => `${name} ${version} (${licence}): ${where.join(', ')}`;
	const sections = [...byText].map(([text, group]) => `${RULE}\n${group.map(line).join('\n')}\n\n${text}\n`);
	return `THIRD-PARTY NOTICES\n\n${INTRODUCTION}\n\n${sections.join('\n')}`;
}

const lacksText = (packages: Shipped[]) =>
	packages
		.filter(({ path }) => noticeOf(path) === '')
		.map(({ name, version }) => `${name} ${version} brings no licence text`);

const packages = shipped(readJson<{ packages: Lock }>('package-lock.json').packages);
const wrong = lacksText(packages);
for (const line of wrong) process.stdout.write(`${line}\n`);
const text = document(packages);
const stale = (() => {
	try {
		return readFileSync(join(ROOT, FILE), 'utf8') !== text;
	} catch {
		return true;
	}
})();
if (stale && process.argv.includes('--check')) {
	wrong.push(FILE);
	process.stdout.write(`${FILE} is not up to date; run: node scripts/notices.ts\n`);
} else if (stale) {
	writeFileSync(join(ROOT, FILE), text);
	process.stdout.write(`${FILE} written: ${packages.length} packages\n`);
}
process.exitCode = wrong.length > 0 ? 1 : 0;
