import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the environment of a test run and, inherited, of every process it starts. */
export const RUN_MARK = 'CROWDVISION_TEST_RUN';

export interface Leftover {
	pid: number;
	command: string;
}

interface Process extends Leftover {
	parent: number;
	marked: boolean;
}

/** Every process of this machine that may be looked at; none where there is no /proc. */
function processes(mark: string): Process[] {
	const found: Process[] = [];
	let names: string[] = [];
	try {
		names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	} catch {
		return found;
	}
	for (const name of names) {
		try {
			const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
			// The name in brackets may hold anything, so the fields count from its end: state, parent.
			const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			if (state === 'Z') continue;
			found.push({
				pid: Number(name),
				parent: Number(parent),
				command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
				marked: readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(`${RUN_MARK}=${mark}`),
			});
		} catch {
			// it ended meanwhile, or is somebody else's
		}
	}
	return found;
}

/** What this run has started and is still there: whoever carries its mark, orphans too, and all of our descendants. */
export function leftovers(mark: string): Leftover[] {
	const all = processes(mark);
	const ours = new Set([process.pid]);
	for (let grown = true; grown; ) {
		grown = false;
		for (const { pid, parent } of all) {
			if (ours.has(parent) && !ours.has(pid)) {
				ours.add(pid);
				grown = true;
			}
		}
	}
	return all.filter(({ pid, marked }) => pid !== process.pid && (marked || ours.has(pid)));
}

/**
 * Gives what is still there `patienceMs` to end by itself, then ends it by force; resolves with what had to be forced.
 */
export async function endLeftovers(mark: string, patienceMs: number): Promise<Leftover[]> {
	const until = Date.now() + patienceMs;
	let left = leftovers(mark);
	while (left.length > 0 && Date.now() < until) {
		await sleep(100);
		left = leftovers(mark);
	}
	for (const { pid } of left) {
		try {
			process.kill(pid, 'SIGKILL');
		} catch {
			// it was faster
		}
	}
	return left;
}
