/**
 * The thread that writes and waits for the disk, so that the thread with the sockets never does: an fsync takes 0.2 ms on a
 * good disk and 200 ms on an SD card. One thread serves every log of the process; each request is answered once.
 */
import { closeSync, constants, fdatasyncSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
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

/** What a test makes of the disk: each fsync takes so long; each write fails with this code while `failing[0]` is not 0. */
export interface DiskFaults {
	fsyncDelayMs?: number;
	failing?: Int32Array;
}

const port = parentPort!;
const faults = workerData as DiskFaults;
const files = new Map<string, number>();
const never = new Int32Array(new SharedArrayBuffer(4));

function fileFor(path: string): number {
	const known = files.get(path);
	if (known !== undefined) return known;
	const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
	files.set(path, fd);
	// The name must be on disk too, or a power cut leaves data without a file.
	const folder = openSync(dirname(path), 'r');
	fsyncSync(folder);
	closeSync(folder);
	return fd;
}

function write({ file, position, data, length }: WriteRequest): void {
	const fd = fileFor(file);
	const bytes = new Uint8Array(data, 0, length);
	try {
		if (faults.failing && Atomics.load(faults.failing, 0) !== 0) {
			throw Object.assign(new Error('no space left on device (injected)'), { code: 'ENOSPC' });
		}
		for (let written = 0; written < length; ) written += writeSync(fd, bytes, written, length - written, position + written);
		if (faults.fsyncDelayMs) Atomics.wait(never, 0, 0, faults.fsyncDelayMs);
		fdatasyncSync(fd);
	} catch (error) {
		// Nobody will be told that these are stored, so they must not be there at the next start either.
		try {
			ftruncateSync(fd, position);
		} catch {
			// The disk refuses even that; recovery then finds whole records that were not acknowledged, which is allowed.
		}
		throw error;
	}
}

port.on('message', (request: CommitRequest) => {
	const answer: CommitAnswer = { id: request.id };
	try {
		if (request.kind === 'write') write(request);
		else {
			const fd = files.get(request.file);
			if (fd !== undefined) closeSync(fd);
			files.delete(request.file);
		}
	} catch (error) {
		const { code = 'EIO', message } = error as NodeJS.ErrnoException;
		answer.error = { code, message };
	}
	if (request.kind === 'write') {
		answer.data = request.data;
		port.postMessage(answer, [request.data]);
	} else port.postMessage(answer);
});
