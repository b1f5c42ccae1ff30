// Brings what a script of package.json needs and is missing; silent when nothing is:  node scripts/setup.mjs [deps] [web] [test]
//   deps  the npm packages of the lock file, and with them the Node that runs everything else
//   web   the frontend, built
//   test  programs that tests start, as Debian packages where this is root on Debian
// Runs on Node 20 with nothing installed: plain JavaScript, nothing imported but Node itself. Never asks.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, '.cache');
const LOCK = join(CACHE, 'setup.lock');
const LOCK_PATIENCE_MS = 15 * 60_000;
const NODE = join(ROOT, 'node_modules', '.bin', 'node');
/** The oldest Node that runs TypeScript as it is and has node:sqlite. */
const OLDEST = [22, 18];

const say = (line) => process.stderr.write(`setup: ${line}\n`);
const readJson = (path) => {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch {
		return undefined;
	}
};

/** Runs a command in silence. @throws with everything it printed. */
function run(command, args, options = {}) {
	const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
		cwd: ROOT,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
		maxBuffer: 64 << 20,
		...options,
	});
	if (error || status !== 0) {
		throw new Error(`${command} ${args.join(' ')} ${error ? error.message : `ended with ${signal ?? status}`}\n${stdout ?? ''}${stderr ?? ''}`);
	}
	return stdout;
}

/** Runs a step that takes a while, with one line before it and one after. */
function step(what, action) {
	const began = Date.now();
	say(`${what} …`);
	action();
	say(`${what}: done in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

// ---------------------------------------------------------------- deps

/** Why the packages must be installed; undefined when what npm wrote down at the end of its last install is what the lock file asks for. */
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
		if (link ? found.resolved !== resolved : found.version !== version) return `${path} is not the one of the lock file`;
		if (!existsSync(join(ROOT, path))) return `${path} is gone`;
	}
	return undefined;
}

function nodeVersion(path) {
	const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
	return status === 0 ? stdout.trim() : undefined;
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
		step(`installing packages from npm (${reason})`, () => run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']));
	ensureNode();
}

// ---------------------------------------------------------------- web

const WEB_SOURCES = ['frontend', 'packages/contracts', 'package-lock.json'];
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
	const built = existsSync(WEB_STAMP) && existsSync(join(ROOT, 'frontend', 'dist', 'index.html')) ? readFileSync(WEB_STAMP, 'utf8') : '';
	if (built === wanted) return;
	step('building the frontend', () => {
		rmSync(WEB_STAMP, { force: true });
		const node = nodeVersion(NODE) ? NODE : process.execPath;
		run(node, [join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', 'frontend', '--logLevel', 'warn']);
		writeFileSync(WEB_STAMP, wanted);
	});
}

// ---------------------------------------------------------------- test

/** Program, Debian package, what is not tested without it. */
const PROGRAMS = [
	['redis-server', 'redis-server', 'everything with a real Redis'],
	['mosquitto', 'mosquitto', 'a real MQTT broker'],
	['mosquitto_pub', 'mosquitto-clients', 'the MQTT lines of the README'],
	['caddy', 'caddy', 'the topology behind Caddy'],
	['chromium', 'chromium', 'the page in a real browser'],
	['socat', 'socat', 'serial ports'],
];
/** Services of those packages; Debian starts and enables what it installs, and they would take the ports of a user's own. */
const SERVICES = ['redis-server', 'mosquitto', 'caddy'];
const POLICY = '/usr/sbin/policy-rc.d';

const installed = (program) =>
	[...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, program)));

function ensurePrograms() {
	const missing = PROGRAMS.filter(([program]) => !installed(program));
	if (missing.length === 0) return;
	const packages = missing.map(([, name]) => name);
	const debian = existsSync('/etc/debian_version') && installed('apt-get');
	let why = `install ${packages.join(', ')}`;
	if (debian && process.getuid?.() === 0) {
		try {
			step(`installing ${packages.join(', ')} from Debian`, () => aptInstall(packages));
		} catch (error) {
			why = error.message;
		}
	} else if (debian) {
		why = `as root: apt-get install ${packages.join(' ')}`;
	}
	for (const [program, , without] of missing) {
		if (!installed(program)) say(`*** ${program} IS NOT INSTALLED: ${without} cannot be tested. (${why})`);
	}
}

function aptInstall(packages) {
	const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
	const apt = (...args) => run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], { env });
	let trouble = '';
	try {
		apt('update');
	} catch (error) {
		trouble = error.message; // an old list often still does
	}
	const hold = !existsSync(POLICY);
	const release = () => hold && existsSync(POLICY) && unlinkSync(POLICY);
	// This script is synchronous, so a signal would end it with the file in place: let the child be ended, and clean up.
	const onSignal = () => {};
	for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, onSignal);
	try {
		if (hold) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
		apt('install', '-y', '--no-install-recommends', ...packages);
		const services = SERVICES.filter((service) => packages.includes(service));
		if (services.length > 0 && existsSync('/run/systemd/system')) run('systemctl', ['--quiet', 'disable', ...services], { env });
	} catch (error) {
		throw new Error(`${trouble}${error.message}`);
	} finally {
		release();
		for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal);
	}
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

const parts = { deps: ensureDeps, web: ensureWeb, test: ensurePrograms };
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
