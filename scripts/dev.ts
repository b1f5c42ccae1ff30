/**
 * The product while it is being changed:  npm run dev [-- --port 5173 …]
 *
 *   browser ─▶ Vite (hot reload) ─┬─ the page, from frontend/src
 *                                 └─ everything else ─▶ standalone.ts, restarted when a source file changes
 *
 * Settings are those of `npm start`; arguments go to Vite. Ctrl-C ends both.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..');
/** Folders and files that the services are made of. Vite watches the page's own. */
const WATCHED = [
	'packages',
	'services',
	'edge-gateway',
	'firmware-sim',
	'demo',
	'standalone',
	'standalone.ts',
	'settings.ts',
];
const SOURCE = /\.(ts|json)$/;
const NO_SOURCE = /\.test\.ts$|(^|\/)(testing|node_modules)\//;
/** Editors write a file in several steps, and git many files: changes this close together, in ms, are one. */
const SETTLED_MS = 100;

const say = (line: string) => process.stdout.write(`dev: ${line}\n`);
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());

/**
 * In a process group of its own, so that Ctrl-C reaches this process only, which then ends it with one SIGTERM: a
 * second signal would make the services exit without finishing.
 */
const start = (args: string[], env: NodeJS.ProcessEnv): ChildProcess =>
	spawn(process.execPath, args, {
		cwd: ROOT,
		env: { ...process.env, ...env },
		stdio: ['ignore', 'pipe', 'inherit'],
		detached: true,
	});

const isRunning = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;

async function end(child: ChildProcess): Promise<void> {
	if (!isRunning(child)) return;
	child.kill('SIGTERM');
	await once(child, 'exit');
}

let changed = Promise.withResolvers<string | undefined>();
stopping.signal.addEventListener('abort', () => changed.resolve(undefined));
const watchers: FSWatcher[] = WATCHED.map((path) =>
	watch(join(ROOT, path), { recursive: true }, (_event, name) => {
		const file = SOURCE.test(path) ? path : `${path}/${name}`;
		if (SOURCE.test(file) && !NO_SOURCE.test(file)) changed.resolve(file);
	}),
);

let vite: ChildProcess | undefined;

/** Starts Vite in front of the services, once. If it ends, so does everything else. */
function startVite(url: string): void {
	if (vite) return;
	const args = [
		'node_modules/vite/bin/vite.js',
		'frontend',
		'--host',
		'127.0.0.1',
		'--clearScreen',
		'false',
		...process.argv.slice(2),
	];
	vite = start(args, { SERVICES_URL: url });
	vite.stdout?.pipe(process.stdout, { end: false });
	vite.once('exit', (code) => {
		if (stopping.signal.aborted) return;
		process.exitCode = code ?? 1;
		stopping.abort();
	});
}

/** The port of the first start, which restarts keep: Vite goes on sending requests there. */
let port: string | undefined;

while (!stopping.signal.aborted) {
	changed = Promise.withResolvers();
	const services = start(['--max-semi-space-size=4', 'standalone.ts'], port === undefined ? {} : { PORT: port });
	let printed = '';
	services.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
		process.stdout.write(chunk);
		if (port !== undefined) return;
		printed += chunk;
		const url = /^ready (http:\S+)/m.exec(printed)?.[1];
		if (url === undefined) return;
		port = new URL(url).port;
		startVite(url);
	});
	services.once('exit', () => {
		if (!stopping.signal.aborted) say('the services have ended; they start again when a source file changes');
	});
	const file = await changed.promise;
	if (file !== undefined) {
		await sleep(SETTLED_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
		services.removeAllListeners('exit');
		say(`${file} has changed: restarting the services`);
	}
	await end(services);
}
for (const watcher of watchers) watcher.close();
if (vite) await end(vite);
