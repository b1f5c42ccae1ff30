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
	/** Path of the device's end; it stays the same for the modem's life. */
	readonly a: string;
	/** Path of the host's end; it stays the same through `unplug` and `replug`. */
	readonly b: string;
	/**
	 * Pulls the host's end out, as a USB adapter is: whoever has `b` open sees it vanish, and the path is gone. What is
	 * sent meanwhile is lost.
	 */
	unplug(): Promise<void>;
	/** A new port under the old path. */
	replug(): Promise<void>;
	/** Ends both sides; resolves when their processes are gone and the paths are removed. */
	close(): Promise<void>;
}

export interface NullModemOptions {
	/** Folder for the two paths; created if absent. Default: a new temporary one, removed by `close`. */
	dir?: string;
	/** Names of the two paths in it. Default `['device', 'host']`. */
	names?: readonly [string, string];
}

interface Terminal {
	/** The pseudo-terminal itself, as `/dev/pts/7`. */
	path: string;
	/** What is written to the terminal by whoever opened it. */
	out: Readable;
	/** What whoever opened it reads. */
	in: Writable;
	/** Hangs the line up. */
	end(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 2_000;

/**
 * Joins two new pseudo-terminals; both are raw, so every byte passes unchanged. What one end sends while nobody reads
 * at the other waits (from util-linux 2.37 on in the memory of `script`, without blocking the writer); a real wire
 * would lose it.
 * @throws Error when `script` is missing, or a path is taken by something that is not a link
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
		// A line with nobody at its other end takes bytes and loses them; it does not block.
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
	// `end: false`: an ended stdin makes `script` type Ctrl-D into the line.
	one.out.pipe(other.in, { end: false });
	other.out.pipe(one.in, { end: false });
}

function disconnect(one: Terminal, other: Terminal): void {
	one.out.unpipe(other.in);
	other.out.unpipe(one.in);
	other.out.resume();
}

async function link(target: string, path: string): Promise<void> {
	const there = await lstat(path).catch(() => undefined);
	// Left behind by a process that was killed: where it points to may be somebody else's terminal by now.
	if (there?.isSymbolicLink()) await unlink(path);
	await symlink(target, path);
}

/**
 * The shell inside tells the terminal's name on descriptor 3, then becomes a `cat` that holds the terminal open until
 * descriptor 4 ends, which it does when we close it and also when we are killed: nothing outlives this process.
 */
const HOLD_OPEN = 'stty raw -echo && tty >&3 && exec cat <&4 >/dev/null';

function openTerminal(): Promise<Terminal> {
	const child = spawn('script', ['-qefc', HOLD_OPEN, '/dev/null'], {
		stdio: ['pipe', 'pipe', 'ignore', 'pipe', 'pipe'],
		// `script -c` runs the user's shell, which may not be one that reads the line above.
		env: { PATH: process.env.PATH, SHELL: '/bin/sh' },
	});
	const [input, out, , name, hold] = child.stdio as unknown as [Writable, Readable, null, Readable, Writable];
	// The line just goes quiet when its process goes: whoever has the terminal open is told by the terminal.
	for (const stream of [input, out, name, hold]) stream.on('error', () => {});
	return new Promise((resolve, reject) => {
		const exited = new Promise<void>((done) => child.once('exit', () => done()));
		const fail = (reason: string) => {
			clearTimeout(timer);
			child.kill('SIGKILL');
			reject(new Error(`no pseudo-terminal: ${reason}`));
		};
		const timer = setTimeout(() => fail('`script` did not answer in time'), START_TIMEOUT_MS);
		child.once('error', (error) => fail(`cannot run \`script\` of util-linux (${error.message})`));
		exited.then(() => fail('`script` ended before it was ready'));
		let told = '';
		name.setEncoding('utf8').on('data', (chunk: string) => {
			told += chunk;
			const path = /^(\/\S+)\n/.exec(told)?.[1];
			if (!path) return;
			clearTimeout(timer);
			resolve({ path, out, in: input, end: () => endTerminal(child, hold, exited) });
		});
	});
}

/**
 * Lets `cat` end, so that `script` reaps it and goes by itself, in silence; SIGTERM would make it write "Session
 * terminated" into the line.
 */
async function endTerminal(child: ChildProcess, hold: Writable, exited: Promise<void>): Promise<void> {
	hold.destroy();
	const force = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
	await exited;
	clearTimeout(force);
	for (const stream of child.stdio) stream?.destroy();
}
