import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SNAPSHOT_NAME } from '../dedup/snapshot-files.ts';
import { SEGMENT_NAME } from '../segment/segment.ts';

const FOLDER = 'damaged';
const MOST_FILES = 50;
const MOST_BYTES = 32 * 1024 * 1024;
const META_NAME = /^meta\.[ab]$/;

/**
 * Keeps what recovery cuts off, for whoever wants to look; bounded, the oldest go first. Failing at it is no reason not
 * to start.
 */
export function setAside(dir: string, name: string, bytes: Buffer): void {
	try {
		const folder = join(dir, FOLDER);
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		const kept = bytes.subarray(0, MOST_BYTES / 4);
		makeRoom(folder, kept.length);
		writeFileSync(join(folder, name), kept, { mode: 0o600 });
	} catch {
		// A full disk: then without.
	}
}

function makeRoom(folder: string, bytes: number): void {
	const files = readdirSync(folder)
		.map((name) => join(folder, name))
		.map((path) => ({ path, ...stat(path) }))
		.sort((a, b) => a.mtimeMs - b.mtimeMs);
	let sum = files.reduce((total, { size }) => total + size, bytes);
	for (const [index, { path, size }] of files.entries()) {
		if (sum <= MOST_BYTES && files.length - index < MOST_FILES) return;
		rmSync(path, { force: true, recursive: true });
		sum -= size;
	}
}

/** Removes a file where the disk lets us: one that has become read-only is no reason not to serve what is there. */
export function removeFile(path: string): void {
	try {
		rmSync(path, { force: true });
	} catch {
		// It stays, and is no part of the log.
	}
}

function stat(path: string): { size: number; mtimeMs: number } {
	const { size, mtimeMs } = statSync(path);
	return { size, mtimeMs };
}

/**
 * Moves away what bears the name of one of the log's files but is none, such as a folder. Returns the paths that stood
 * in the way.
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
