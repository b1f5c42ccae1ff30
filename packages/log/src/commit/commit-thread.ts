/**
 * The thread that writes and waits for the disk, so that the thread with the sockets never does: an fsync takes 0.2 ms
 * on a good disk and 200 ms on an SD card. One thread serves every log of the process; each request is answered once.
 */
import {
	closeSync,
	constants,
	fdatasyncSync,
	fsyncSync,
	ftruncateSync,
	openSync,
	unlinkSync,
	writeSync,
} from 'node:fs';
import { flushCompileCache } from 'node:module';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

/** Writes `length` bytes of `data` at `position` of `file` (made if need be), and answers when they are on disk. */
export interface WriteRequest {
	kind: 'write';
	id: number;
	file: string;
	position: number;
	data: ArrayBuffer;
	length: number;
}
export interface CloseRequest {
	kind: 'close';
	id: number;
	file: string;
}
export type CommitRequest = WriteRequest | CloseRequest;

export interface CommitAnswer {
	id: number;
	/** The buffer, given back for the next batch. */
	data?: ArrayBuffer;
	error?: { code: string; message: string };
}

/**
 * What a test makes of the disk. Each fsync takes so long. While `failing[0]` is 1 there is room for half of a write;
 * while it is 2 bytes are written but cannot be synced, nor cut off again; while it is 3 the thread itself dies of a
 * write.
 */
export interface DiskFaults {
	fsyncDelayMs?: number;
	failing?: Int32Array;
}

const port = parentPort!;
const faults = workerData as DiskFaults;
const files = new Map<string, number>();
const never = new Int32Array(new SharedArrayBuffer(4));

const injected = (mode: number) => faults.failing !== undefined && Atomics.load(faults.failing, 0) === mode;
const noSpace = () => Object.assign(new Error('no space left on device (injected)'), { code: 'ENOSPC' });

function fileFor(path: string): number {
	const known = files.get(path);
	if (known !== undefined) return known;
	const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
	files.set(path, fd);
	return fd;
}

/** The name must be on disk too, or a power cut leaves data without a file. */
function syncFolderOf(path: string): void {
	const folder = openSync(dirname(path), 'r');
	try {
		fsyncSync(folder);
	} finally {
		closeSync(folder);
	}
}

function close(path: string): void {
	const fd = files.get(path);
	files.delete(path);
	if (fd !== undefined) closeSync(fd);
}

function write({ file, position, data, length }: WriteRequest): void {
	if (injected(3)) process.exit(1);
	const fd = fileFor(file);
	const bytes = new Uint8Array(data, 0, length);
	try {
		if (position === 0) ftruncateSync(fd, 0);
		const room = injected(1) ? length >> 1 : length;
		for (let written = 0; written < room; )
			written += writeSync(fd, bytes, written, room - written, position + written);
		if (room < length) throw noSpace();
		if (faults.fsyncDelayMs) Atomics.wait(never, 0, 0, faults.fsyncDelayMs);
		if (injected(2)) throw noSpace();
		fdatasyncSync(fd);
		if (position === 0) syncFolderOf(file);
	} catch (error) {
		takeBack(file, fd, position);
		throw error;
	}
}

/** Nobody will be told that these are stored, so they must not be there at the next start either. */
function takeBack(file: string, fd: number, position: number): void {
	try {
		if (injected(2)) throw noSpace();
		if (position > 0) ftruncateSync(fd, position);
		else unlinkSync(file);
	} catch {
		// The disk refuses even that; recovery then finds whole records that were not acknowledged, which is allowed.
	}
	if (position === 0) close(file);
}

port.on('message', (request: CommitRequest) => {
	const answer: CommitAnswer = { id: request.id };
	try {
		if (request.kind === 'write') write(request);
		else close(request.file);
	} catch (error) {
		const { code = 'EIO', message } = error as NodeJS.ErrnoException;
		answer.error = { code, message };
	}
	if (request.kind === 'write') {
		answer.data = request.data;
		port.postMessage(answer, [request.data]);
	} else port.postMessage(answer);
});

// The thread may be ended from outside at any time, and what was compiled here never written: every start would need
// the type stripper again (15 MiB).
flushCompileCache();
