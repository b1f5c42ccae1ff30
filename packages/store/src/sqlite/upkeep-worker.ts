import { closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { syncPath } from '@crowdvision/service-kit/files';
import { check, isDamage } from './open.ts';

/** Checks a database, and copies it to `target` if given, while other threads go on writing to it. */
export interface UpkeepTask {
	path: string;
	target?: string;
}

export type UpkeepOutcome = 'good' | 'damaged' | { failed: string };

const { path, target } = workerData as UpkeepTask;
const PATIENCE_MS = 5000;

function upkeep(): UpkeepOutcome {
	try {
		const database = new DatabaseSync(path, { readOnly: true, timeout: PATIENCE_MS });
		try {
			check(database);
			if (target) copy(database, target);
			return 'good';
		} finally {
			database.close();
		}
	} catch (error) {
		return isDamage(error) ? 'damaged' : { failed: `${basename(path)}: ${(error as Error).message}` };
	}
}

/** Copies the database. The copy gets its name only when it is complete, checked and on disk. */
function copy(database: DatabaseSync, to: string): void {
	const unfinished = `${to}.unfinished`;
	mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
	rmSync(unfinished, { force: true });
	try {
		closeSync(openSync(unfinished, 'wx', 0o600));
		database.prepare('VACUUM INTO ?').run(unfinished);
		const copied = new DatabaseSync(unfinished, { readOnly: true });
		try {
			check(copied);
		} finally {
			copied.close();
		}
		syncPath(unfinished);
		renameSync(unfinished, to);
		syncPath(dirname(to));
	} finally {
		rmSync(unfinished, { force: true });
	}
}

parentPort!.postMessage(upkeep());
