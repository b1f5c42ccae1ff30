import { type ChildProcess, spawn } from 'node:child_process';
import { lstat, mkdir, mkdtemp, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/**
 * Two real pseudo-terminals joined crosswise, as a null-modem cable joins two serial ports:
 *
 *     device ── a ══ pty ══ script ──▶ this process ──▶ script ══ pty ══ b ── gateway
 *                                  ◀──              ◀──
 *
 * Node cannot open a pseudo-terminal by itself; `script` of util-linux can, and is on every Debian.
 */
export interface NullModem {
	/** Path of the device's end; it stays the same until `close`. */
	readonly a: string;
	/** Path of the host's end; it stays the same through `unplug` and `replug`. */
	readonly b: string;
	/**
	 * Pulls the host's end out, like a USB adapter: a process that has `b` open sees it hang up, and the path is removed.
	 * What is sent meanwhile is lost.
	 */
	unplug(): Promise<void>;
	/** Creates a new port under the old path. */
	replug(): Promise<void>;
	/** Ends both sides. Resolves when their processes have exited and the paths are removed. */
	close(): Promise<void>;
}

export interface NullModemOptions {
	/** Folder for the two paths, created if absent. Default: a new temporary folder, removed by `close`. */
	dir?: string;
	/** Names of the two paths in it. Default `['device', 'host']`. */
	names?: readonly [string, string];
}

interface Terminal {
	/** The pseudo-terminal itself, such as `/dev/pts/7`. */
	path: string;
	/** The bytes that the process at the terminal writes. */
	out: Readable;
	/** The bytes that the process at the terminal reads. */
	in: Writable;
	/** Hangs up the line. */
	end(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 2_000;

/**
 * Joins two new pseudo-terminals. Both are raw, so every byte passes unchanged. Bytes that nobody reads at the other
 * end wait (from util-linux 2.37 on in the memory of `script`, without blocking the writer); a real wire would lose
 * them.
 * @throws Error if `script` is missing, or if something other than a link exists at one of the paths
 */
export async function createNullModem(options: NullModemOptions = {}): Promise<NullModem> {
	const ownDir = options.dir === undefined;
	const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'null-modem-')));
	await mkdir(dir, { recursive: true });
	const [a, b] = (options.names ?? ['device', 'host']).map((name) => join(dir, name)) as [string, string];
	const undo: (() => Promise<void>)[] = [];
	if (ownDir) undo.push(() => rm(dir, { recursive: true, force: true }));
	const undoAll = async () => {
		for (const step of undo.splice(0).reverse()) await step();
	};
	const openAs = async (path: string) => {
		const terminal = await openTerminal();
		undo.push(terminal.end);
		await link(terminal.path, path);
		undo.push(() => rm(path, { force: true }));
		return terminal;
	};

	let device: Terminal;
	let host: Terminal | undefined;
	try {
		device = await openAs(a);
		host = await openAs(b);
	} catch (error) {
		await undoAll();
		throw error;
	}
	connect(device, host);

	const unplug = async () => {
		const gone = host;
		host = undefined;
		if (!gone) return;
		disconnect(device, gone);
		// A line without a reader loses what is written to it; it does not block the writer.
		device.out.resume();
		await rm(b, { force: true });
		await gone.end();
	};

	return {
		a,
		b,
		unplug,
		async replug() {
			if (host) return;
			host = await openAs(b);
			connect(device, host);
		},
		async close() {
			await unplug();
			await undoAll();
		},
	};
}

function connect(one: Terminal, other: Terminal): void {
	// `end: false`: when its stdin ends, `script` writes Ctrl-D into the line.
	one.out.pipe(other.in, { end: false });
	other.out.pipe(one.in, { end: false });
}

function disconnect(one: Terminal, other: Terminal): void {
	one.out.unpipe(other.in);
	other.out.unpipe(one.in);
	other.out.resume();
}

async function link(target: string, path: string): Promise<void> {
	const existing = await lstat(path).catch(() => undefined);
	// A link left by a killed process: the terminal it points to may belong to another program by now.
	if (existing?.isSymbolicLink()) await unlink(path);
	await symlink(target, path);
}

/**
 * The shell in the terminal writes the terminal's name to descriptor 3, then becomes a `cat` that keeps the terminal
 * open until descriptor 4 ends. That happens when we close it and also when we are killed, so nothing outlives this
 * process.
 */
const HOLD_OPEN = 'stty raw -echo && tty >&3 && exec cat <&4 >/dev/null';

function openTerminal(): Promise<Terminal> {
	const child = spawn('script', ['-qefc', HOLD_OPEN, '/dev/null'], {
		stdio: ['pipe', 'pipe', 'ignore', 'pipe', 'pipe'],
		// `script -c` runs the user's shell, which may not understand the command above.
		env: { PATH: process.env.PATH, SHELL: '/bin/sh' },
	});
	const [input, out, , name, hold] = child.stdio as unknown as [Writable, Readable, null, Readable, Writable];
	// When the process exits these streams fail; the terminal itself reports the hang-up to whoever has it open.
	for (const stream of [input, out, name, hold]) stream.on('error', () => {});
	return new Promise((resolve, reject) => {
		const exited = new Promise<void>((done) => child.once('exit', () => done()));
		const fail = (reason: string) => {
			clearTimeout(timer);
			child.kill('SIGKILL');
			reject(new Error(`no pseudo-terminal: ${reason}`));
		};
		const timer = setTimeout(() => fail('`script` did not start in time'), START_TIMEOUT_MS);
		child.once('error', (error) => fail(`cannot run \`script\` of util-linux (${error.message})`));
		exited.then(() => fail('`script` ended before it was ready'));
		let announced = '';
		name.setEncoding('utf8').on('data', (chunk: string) => {
			announced += chunk;
			const path = /^(\/\S+)\n/.exec(announced)?.[1];
			if (!path) return;
			clearTimeout(timer);
			resolve({ path, out, in: input, end: () => endTerminal(child, hold, exited) });
		});
	});
}

/**
 * Lets `cat` end, so that `script` exits by itself without writing to the line; on SIGTERM it would write "Session
 * terminated" into it.
 */
async function endTerminal(child: ChildProcess, hold: Writable, exited: Promise<void>): Promise<void> {
	hold.destroy();
	const force = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
	await exited;
	clearTimeout(force);
	for (const stream of child.stdio) stream?.destroy();
}
