import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SNAPSHOT_NAME } from '../dedup/snapshot-files.ts';
import { SEGMENT_NAME } from '../segment/segment.ts';

const FOLDER = 'damaged';
const MAX_FILES = 50;
const MAX_BYTES = 32 * 1024 * 1024;
const META_NAME = /^meta\.[ab]$/;

/**
 * Saves what recovery cuts off in the folder `damaged`, for inspection; bounded, the oldest files are removed first.
 * Never throws, since a failure must not prevent the start.
 */
export function setAside(dir: string, name: string, bytes: Buffer): void {
	try {
		const folder = join(dir, FOLDER);
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		const saved = bytes.subarray(0, MAX_BYTES / 4);
		makeRoom(folder, saved.length);
		writeFileSync(join(folder, name), saved, { mode: 0o600 });
	} catch {
		// Such as a full disk.
	}
}

function makeRoom(folder: string, bytes: number): void {
	const files = readdirSync(folder)
		.map((name) => join(folder, name))
		.map((path) => ({ path, ...stat(path) }))
		.sort((a, b) => a.mtimeMs - b.mtimeMs);
	let sum = files.reduce((total, { size }) => total + size, bytes);
	for (const [index, { path, size }] of files.entries()) {
		if (sum <= MAX_BYTES && files.length - index < MAX_FILES) return;
		rmSync(path, { force: true, recursive: true });
		sum -= size;
	}
}

/** Removes a file if possible. Never throws: a disk that has become read-only must not prevent the start. */
export function removeFile(path: string): void {
	try {
		rmSync(path, { force: true });
	} catch {
		// The file stays, but is not part of the log.
	}
}

function stat(path: string): { size: number; mtimeMs: number } {
	const { size, mtimeMs } = statSync(path);
	return { size, mtimeMs };
}

/**
 * Moves away anything that has the name of a file of the log but is not a file. Returns the paths of these obstacles.
 */
export function removeObstacles(dir: string): string[] {
	const obstacles: string[] = [];
	for (const name of readdirSync(dir)) {
		const shouldBeFile = SEGMENT_NAME.test(name) || SNAPSHOT_NAME.test(name) || META_NAME.test(name);
		if (!shouldBeFile && name !== FOLDER) continue;
		const path = join(dir, name);
		const kind = kindOf(path);
		if (kind === (shouldBeFile ? 'file' : 'folder')) continue;
		obstacles.push(path);
		try {
			renameSync(path, join(dir, `${name}.${Date.now()}.aside`));
		} catch {
			rmSync(path, { force: true, recursive: true });
		}
	}
	return obstacles;
}

function kindOf(path: string): 'file' | 'folder' | undefined {
	try {
		const found = statSync(path);
		if (found.isFile()) return 'file';
		return found.isDirectory() ? 'folder' : undefined;
	} catch {
		return undefined;
	}
}
