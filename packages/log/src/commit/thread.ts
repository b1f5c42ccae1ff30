/**
 * The thread that writes and waits for the disk, so that the thread with the sockets never does: an fsync takes 0.2 ms
 * on a good disk and 200 ms on an SD card. One thread serves all logs of the process and answers each request once.
 */
import { closeSync, constants, fdatasyncSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { syncFolderOf } from '@crowdvision/service-kit/files';

/**
 * Writes `length` bytes of `data` at `position` of `file`, which is created if missing; answered when they are on disk.
 */
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
	/** The buffer, returned for the next batch. */
	data?: ArrayBuffer;
	error?: { code: string; message: string };
}

/**
 * Faults of the disk for tests. `fsyncDelayMs` delays each fsync. `failing[0]`: while 1, the disk has room for half of
 * a write; while 2, bytes are written but can neither be synced nor truncated again; while 3, a write kills the thread.
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
		// Without the name on disk a power cut would leave data without a file.
		if (position === 0) syncFolderOf(file);
	} catch (error) {
		undo(file, fd, position);
		throw error;
	}
}

/** Removes what a failed write left: its records are not acknowledged, so they must not appear at the next start. */
function undo(file: string, fd: number, position: number): void {
	try {
		if (injected(2)) throw noSpace();
		if (position > 0) ftruncateSync(fd, position);
		else unlinkSync(file);
	} catch {
		// The disk refuses even that. Recovery may then find whole records that were not acknowledged, which is allowed.
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

// The thread may be terminated at any time. Without this its compile cache would never be written, and every start
// would load the type stripper again (15 MiB).
flushCompileCache();
