/**
 * Loaded into a process before its program (`node --import`): records what the program and its threads do to the files
 * below a folder, in the order in which it happens. The functions of `node:fs` do what they always do; this only writes
 * down their effect. One JSON document per line of the trace (DiskEvent in disk-model.ts). What SQLite does inside the
 * engine is not seen.
 *
 * Environment: RECORD_DISK_FOLDER, RECORD_DISK_TRACE; RECORD_DISK_KILL, a number and a regular expression: the process
 * kills itself (SIGKILL) instead of the nth sync of a path that matches, as a crash between write and sync would.
 * RECORD_DISK_FAIL, the same for a sync that fails. Syncs are counted in each thread by itself.
 */
import fs from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import workers, { isMainThread, threadId } from 'node:worker_threads';
import type { DiskEvent } from './disk-model.ts';

const folder = resolve(process.env.RECORD_DISK_FOLDER!);
/** Tells the nth sync of a path that matches. */
function countdown(setting = ''): (path: string) => boolean {
	const [, nth, pattern] = /^(\d+) (.*)$/.exec(setting) ?? [];
	if (pattern === undefined) return () => false;
	const matches = new RegExp(pattern);
	let left = Number(nth);
	return (path) => matches.test(path) && --left === 0;
}
const isKilledAt = countdown(process.env.RECORD_DISK_KILL);
const isFailedAt = countdown(process.env.RECORD_DISK_FAIL);
const KILL_AFTER_MS = 200;

type Anything = (...args: never[]) => unknown;
type Functions = Record<string, Anything>;
const original = { ...fs };
const trace = original.openSync(process.env.RECORD_DISK_TRACE!, 'a', 0o600);
let syncs = 0;
/** Functions of `node:fs` call each other; only the outermost call is recorded. */
let depth = 0;

/** An open file below the folder. */
interface OpenFile {
	path: string;
	ino: number;
	position: number;
	appends: boolean;
}
const open = new Map<number, OpenFile>();

function record(event: DiskEvent): void {
	original.writeSync(trace, `${JSON.stringify(event)}\n`);
}

/** The path below the folder, '' for the folder itself; undefined for a path elsewhere. */
function below(path: unknown): string | undefined {
	if (typeof path !== 'string' && !(path instanceof URL) && !Buffer.isBuffer(path)) return undefined;
	const found = relative(folder, resolve(path instanceof URL ? path.pathname : path.toString()));
	return found.startsWith('..') ? undefined : found;
}

const bytesOf = (data: unknown, encoding?: unknown) =>
	typeof data === 'string'
		? Buffer.from(data, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
		: Buffer.from((data as Uint8Array).buffer, (data as Uint8Array).byteOffset, (data as Uint8Array).byteLength);

function opened(fd: number, path: string, existed: boolean, flags: unknown): void {
	const { ino } = original.fstatSync(fd);
	const number = typeof flags === 'number' ? flags : 0;
	const text = typeof flags === 'string' ? flags : '';
	const appends = text.startsWith('a') || (number & fs.constants.O_APPEND) !== 0;
	const truncates = text.startsWith('w') || (number & fs.constants.O_TRUNC) !== 0;
	open.set(fd, { path, ino, position: 0, appends });
	if (!existed) record({ do: 'create', path, ino });
	else if (truncates) record({ do: 'truncate', ino, path, size: 0 });
}

function written(fd: number, data: Buffer, at: unknown): void {
	const file = open.get(fd);
	if (!file || data.length === 0) return;
	const position =
		typeof at === 'number' ? at : file.appends ? original.fstatSync(fd).size - data.length : file.position;
	if (typeof at !== 'number') file.position = position + data.length;
	record({ do: 'write', ino: file.ino, path: file.path, at: position, data: data.toString('base64') });
}

/** Records a sync of an open file or folder; it covers what was recorded before it began. */
function syncing(fd: number): (() => void) | undefined {
	const file = open.get(fd);
	if (!file) return undefined;
	if (isFailedAt(file.path)) {
		record({ do: 'sync-failed', ino: file.ino, path: file.path });
		throw Object.assign(new Error(`EIO: i/o error, fsync '${file.path}' (injected)`), { code: 'EIO' });
	}
	if (isKilledAt(file.path)) {
		// Lets the other threads finish, and record, what they have begun.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KILL_AFTER_MS);
		process.kill(process.pid, 'SIGKILL');
	}
	const sync = `${process.pid}-${threadId}-${++syncs}`;
	record({ do: 'sync-begin', ino: file.ino, path: file.path, sync });
	return () => record({ do: 'sync-end', sync });
}

/** What a removal takes away, deepest first. */
function treeOf(path: string, recursive: boolean): string[] {
	const found = original.lstatSync(path, { throwIfNoEntry: false });
	if (!found) return [];
	const below = recursive && found.isDirectory() ? original.readdirSync(path) : [];
	return [...below.flatMap((name) => treeOf(`${path}/${name}`, true)), path];
}

/** The folders that `mkdir` will create, outermost first. */
function missing(path: string, recursive: boolean): string[] {
	if (original.existsSync(path)) return [];
	return [...(recursive ? missing(dirname(path), true) : []), path];
}

/** A recorder is called before the function with its arguments, and what it returns after it succeeded. */
type Recorder = (args: unknown[]) => ((result: unknown) => void) | undefined;

const whole =
	(appends: boolean): Recorder =>
	([path, data, options]) => {
		const found = below(path);
		if (found === undefined) return undefined;
		const existed = original.existsSync(path as string);
		const flag = (options as { flag?: string })?.flag ?? (appends ? 'a' : 'w');
		const encoding = typeof options === 'string' ? options : (options as { encoding?: string })?.encoding;
		return () => {
			const bytes = bytesOf(data, encoding);
			const { ino, size } = original.statSync(path as string);
			if (!existed) record({ do: 'create', path: found, ino });
			else if (flag.startsWith('w')) record({ do: 'truncate', ino, path: found, size: 0 });
			const at = flag.startsWith('a') ? size - bytes.length : 0;
			if (bytes.length > 0) record({ do: 'write', ino, path: found, at, data: bytes.toString('base64') });
			if (!(options as { flush?: boolean })?.flush) return;
			const sync = `${process.pid}-${threadId}-${++syncs}`;
			record({ do: 'sync-begin', ino, path: found, sync });
			record({ do: 'sync-end', sync });
		};
	};

const byPath: Record<string, Recorder> = {
	writeFile: whole(false),
	appendFile: whole(true),
	rename([from, to]) {
		const [source, target] = [below(from), below(to)];
		if (source === undefined || target === undefined) return undefined;
		return () => record({ do: 'rename', from: source, to: target });
	},
	link([from, to]) {
		const [source, target] = [below(from), below(to)];
		if (source === undefined || target === undefined) return undefined;
		return () => record({ do: 'link', from: source, to: target });
	},
	copyFile([, to]) {
		const path = below(to);
		if (path === undefined) return undefined;
		const existed = original.existsSync(to as string);
		return () => {
			const { ino } = original.statSync(to as string);
			if (existed) record({ do: 'truncate', ino, path, size: 0 });
			else record({ do: 'create', path, ino });
			record({ do: 'write', ino, path, at: 0, data: original.readFileSync(to as string).toString('base64') });
		};
	},
	truncate([path, size]) {
		const found = below(path);
		if (found === undefined) return undefined;
		return () =>
			record({
				do: 'truncate',
				ino: original.statSync(path as string).ino,
				path: found,
				size: (size as number | undefined) ?? 0,
			});
	},
	mkdir([path, options]) {
		if (below(path) === undefined) return undefined;
		const made = missing(path as string, (options as { recursive?: boolean })?.recursive ?? false);
		return () => {
			for (const each of made)
				if (below(each)) record({ do: 'mkdir', path: below(each)!, ino: original.statSync(each).ino });
		};
	},
};
for (const name of ['rm', 'unlink', 'rmdir'])
	byPath[name] = ([path, options]) => {
		if (!below(path)) return undefined;
		const gone = treeOf(path as string, (options as { recursive?: boolean })?.recursive ?? false);
		return () => {
			for (const each of gone) record({ do: 'remove', path: below(each)! });
		};
	};

const byDescriptor: Record<string, Recorder> = {
	openSync([path, flags]) {
		const found = below(path);
		if (found === undefined) return undefined;
		const existed = original.existsSync(path as string);
		return (fd) => opened(fd as number, found, existed, flags);
	},
	closeSync: ([fd]) => {
		open.delete(fd as number);
		return undefined;
	},
	writeSync([fd, data, a, b, c]) {
		if (!open.has(fd as number)) return undefined;
		const isText = typeof data === 'string';
		const [from, at] = isText ? [0, a] : [(a as number | undefined) ?? 0, c];
		const bytes = isText ? bytesOf(data, b) : bytesOf(data);
		return (count) => written(fd as number, bytes.subarray(from, from + (count as number)), at);
	},
	ftruncateSync([fd, size]) {
		const file = open.get(fd as number);
		return file && (() => record({ do: 'truncate', ino: file.ino, path: file.path, size: (size as number) ?? 0 }));
	},
	fsyncSync: ([fd]) => syncing(fd as number),
	fdatasyncSync: ([fd]) => syncing(fd as number),
};

function wrapSync(name: string, recorder: Recorder): void {
	const real = (fs as unknown as Functions)[name]!;
	(fs as unknown as Functions)[name] = ((...args: never[]) => {
		if (depth > 0) return real(...args);
		const done = recorder(args);
		depth++;
		try {
			const result = real(...args);
			done?.(result);
			return result;
		} finally {
			depth--;
		}
	}) as Anything;
}

function wrapAsync(
	target: Functions,
	name: string,
	recorder: (self: unknown, args: unknown[]) => ReturnType<Recorder>,
) {
	const real = target[name]!;
	target[name] = async function (this: unknown, ...args: never[]) {
		const done = recorder(this, args);
		const result = await real.apply(this, args);
		done?.(result);
		return result;
	} as unknown as Anything;
}

async function install(): Promise<void> {
	const handle = await promises.open(new URL(import.meta.url));
	const prototype = Object.getPrototypeOf(handle) as Functions;
	await handle.close();

	for (const [name, recorder] of Object.entries(byPath)) {
		wrapSync(`${name}Sync`, recorder);
		wrapAsync(promises as unknown as Functions, name, (_self, args) => recorder(args));
	}
	for (const [name, recorder] of Object.entries(byDescriptor)) wrapSync(name, recorder);
	wrapAsync(promises as unknown as Functions, 'open', (_self, [path, flags = 'r']) => {
		const found = below(path);
		if (found === undefined) return undefined;
		const existed = original.existsSync(path as string);
		return (file) => opened((file as FileHandle).fd, found, existed, flags);
	});
	const ofHandle = (name: string, recorder: (fd: number, args: unknown[]) => ReturnType<Recorder>) =>
		wrapAsync(prototype, name, (self, args) => recorder((self as FileHandle).fd, args));
	ofHandle('close', (fd) => void open.delete(fd) as undefined);
	ofHandle('sync', (fd) => syncing(fd));
	ofHandle('datasync', (fd) => syncing(fd));
	ofHandle('truncate', (fd, [size]) => {
		const file = open.get(fd);
		return file && (() => record({ do: 'truncate', ino: file.ino, path: file.path, size: (size as number) ?? 0 }));
	});
	ofHandle(
		'writeFile',
		(fd, [data, options]) =>
			() =>
				written(fd, bytesOf(data, options), undefined),
	);
	ofHandle('write', (fd, [data, from, _length, at]) => (result) => {
		const { bytesWritten } = result as { bytesWritten: number };
		const begin = typeof data === 'string' ? 0 : ((from as number | undefined) ?? 0);
		written(fd, bytesOf(data).subarray(begin, begin + bytesWritten), typeof data === 'string' ? from : at);
	});

	// A thread with options of its own would not load this.
	const { Worker } = workers;
	workers.Worker = class extends Worker {
		constructor(file: string | URL, options: workers.WorkerOptions = {}) {
			super(file, { ...options, execArgv: [...(options.execArgv ?? []), '--import', import.meta.url] });
		}
	};
	syncBuiltinESMExports();
	if (isMainThread) record({ do: 'start', pid: process.pid });
}

await install();
