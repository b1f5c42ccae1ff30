// Brings what a script of package.json needs and is missing; silent when nothing is:  node scripts/setup.mjs [deps]
// [web] [test]
//   deps  the npm packages of the lock file, and with them the Node that runs everything else
//   web   the frontend, built
//   test  programs that tests start, as Debian packages where this is root on Debian, and a MongoDB server
// Runs on Node 20 with nothing installed: plain JavaScript, nothing imported but Node itself. Never asks.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureMongod } from './setup/mongod.mjs';
import { ensurePrograms } from './setup/programs.mjs';
import { CACHE, NODE, nodeVersion, ROOT, readJson, run, say, step } from './setup/tools.mjs';

const LOCK = join(CACHE, 'setup.lock');
const LOCK_PATIENCE_MS = 15 * 60_000;
/** The oldest Node that runs TypeScript as it is and has node:sqlite. */
const OLDEST = [22, 18];

// ---------------------------------------------------------------- deps

/**
 * Why the packages must be installed; undefined when what npm wrote down at the end of its last install is what the
 * lock file asks for.
 */
function whyInstall() {
	const wanted = readJson(join(ROOT, 'package-lock.json'))?.packages;
	if (!wanted) throw new Error('package-lock.json is missing or damaged');
	const installed = readJson(join(ROOT, 'node_modules', '.package-lock.json'))?.packages;
	if (!installed) return 'nothing is installed';
	for (const [path, { version, link, resolved, optional, devOptional }] of Object.entries(wanted)) {
		if (!path.includes('node_modules/')) continue;
		const found = installed[path];
		if (!found) {
			if (optional || devOptional) continue;
			return `${path} is missing`;
		}
		if (link ? found.resolved !== resolved : found.version !== version)
			return `${path} is not the one of the lock file`;
		if (!existsSync(join(ROOT, path))) return `${path} is gone`;
	}
	return undefined;
}

/** The package `node` links its binary in an install script, which npm may have been told not to run. */
function ensureNode() {
	const wanted = readJson(join(ROOT, 'package-lock.json')).packages['node_modules/node'].version;
	if (nodeVersion(NODE) === `v${wanted}`) return;
	try {
		step(`bringing in Node ${wanted}`, () => run('npm', ['rebuild', 'node', '--ignore-scripts=false']));
		const found = nodeVersion(NODE);
		if (found !== `v${wanted}`) throw new Error(`${NODE} is ${found ?? 'not there'}, not v${wanted}`);
	} catch (error) {
		const [major, minor] = process.versions.node.split('.').map(Number);
		if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) throw error;
		say(`Node ${wanted} could not be had; going on with ${process.version}, which will do. ${error.message}`);
	}
}

function ensureDeps() {
	const reason = whyInstall();
	// Scripts stay off: the only one that is needed is the one ensureNode runs, the others compile what comes compiled.
	if (reason)
		step(`installing packages from npm (${reason})`, () =>
			run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']),
		);
	ensureNode();
}

// ---------------------------------------------------------------- web

const WEB_SOURCES = ['frontend', 'packages/contracts', 'package-lock.json', 'THIRD-PARTY-NOTICES'];
const WEB_STAMP = join(CACHE, 'frontend.sha256');

/** Every file below, without what was built or installed. */
function* filesBelow(path) {
	if (!statSync(path).isDirectory()) {
		yield path;
		return;
	}
	for (const name of readdirSync(path).sort()) {
		if (name !== 'node_modules' && name !== 'dist' && !name.endsWith('.test.ts')) yield* filesBelow(join(path, name));
	}
}

function ensureWeb() {
	if (!existsSync(join(ROOT, 'frontend', 'index.html'))) return;
	const hash = createHash('sha256');
	for (const source of WEB_SOURCES) {
		for (const path of filesBelow(join(ROOT, source)))
			hash
				.update(`${path.slice(ROOT.length)}\0`)
				.update(readFileSync(path))
				.update('\0');
	}
	const wanted = hash.digest('hex');
	const built =
		existsSync(WEB_STAMP) && existsSync(join(ROOT, 'frontend', 'dist', 'index.html'))
			? readFileSync(WEB_STAMP, 'utf8')
			: '';
	if (built === wanted) return;
	step('building the frontend', () => {
		rmSync(WEB_STAMP, { force: true });
		const node = nodeVersion(NODE) ? NODE : process.execPath;
		run(node, [join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', 'frontend', '--logLevel', 'warn']);
		writeFileSync(WEB_STAMP, wanted);
	});
}

// ---------------------------------------------------------------- one at a time

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** True when the process that holds the lock has gone. */
function abandoned() {
	try {
		const pid = Number(readFileSync(join(LOCK, 'pid'), 'utf8'));
		if (pid > 0) return !alive(pid);
	} catch {
		// made and not yet signed, or just released
	}
	const made = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs;
	return made !== undefined && Date.now() - made > 5000;
}

/** Signal 0 only asks. */
function alive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code !== 'ESRCH';
	}
}

function takeLock() {
	mkdirSync(CACHE, { recursive: true });
	const until = Date.now() + LOCK_PATIENCE_MS;
	for (let told = false; ; pause(200)) {
		try {
			mkdirSync(LOCK);
			writeFileSync(join(LOCK, 'pid'), String(process.pid));
			return;
		} catch (error) {
			if (error.code !== 'EEXIST') throw error;
		}
		if (abandoned()) {
			rmSync(LOCK, { recursive: true, force: true });
		} else if (Date.now() > until) {
			throw new Error(`another set-up is still running; if it is not, remove ${LOCK}`);
		} else if (!told) {
			told = true;
			say('waiting for another set-up of this folder');
		}
	}
}

function ensureTestServers() {
	ensurePrograms();
	ensureMongod();
}

const parts = { deps: ensureDeps, web: ensureWeb, test: ensureTestServers };
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in parts));
if (unknown) {
	say(`there is no part "${unknown}"; there are ${Object.keys(parts).join(', ')}`);
	process.exit(2);
}
takeLock();
try {
	for (const [name, ensure] of Object.entries(parts)) {
		if (asked.length === 0 || asked.includes(name)) ensure();
	}
} catch (error) {
	say(error.message);
	process.exitCode = 1;
} finally {
	rmSync(LOCK, { recursive: true, force: true });
}
