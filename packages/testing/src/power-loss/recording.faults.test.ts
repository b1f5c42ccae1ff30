import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNode } from '../processes.ts';
import { seeded } from '../seeded.ts';
import type { DiskEvent } from './disk-model.ts';
import { diskStates, everythingOf, readTree } from './disk-states.ts';
import { DiskRecording } from './recording.ts';

const PROGRAM = fileURLToPath(new URL('promising-program.ts', import.meta.url));

let dir: string;
beforeAll(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-recording-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs the program under the recorder. What it prints becomes marks, at the places where it printed it. */
async function recorded(how: string): Promise<{ folder: string; events: DiskEvent[] }> {
	const folder = join(dir, how);
	mkdirSync(folder);
	const recording = new DiskRecording(folder, join(dir, `${how}.trace`));
	const running = await startNode(PROGRAM, { args: [how], env: recording.env() });
	expect(await running.exited).toEqual({ code: 0, signal: null });
	return { folder, events: recording.events() };
}

/** The files that are shorter than was promised, over all states. */
function broken(events: readonly DiskEvent[], promises: ReadonlyMap<number, string>): string[] {
	const found: string[] = [];
	for (const { cut, what, tree } of diskStates({ events, limit: 3000, random: seeded(1) })) {
		for (const [at, promise] of promises) {
			const [file, size] = promise.split(' ') as [string, string];
			if (at < cut && (tree.get(file)?.length ?? -1) < Math.min(Number(size), 2000)) found.push(`${what}: ${promise}`);
		}
	}
	return found;
}

/** What the program promises, after the event at which it does in its careful form. */
function promisesOf(events: readonly DiskEvent[], careful: boolean): Map<number, string> {
	const promises = new Map<number, string>();
	const after = (nth: number, test: (event: DiskEvent) => boolean, text: string) => {
		const indexes = events.flatMap((event, index) => (test(event) ? [index] : []));
		promises.set(indexes[nth]!, text);
	};
	const isWrite = (event: DiskEvent) => event.do === 'write' && event.path === 'sub/deep/log';
	if (!careful) {
		for (let n = 0; n < 3; n++) after(n, isWrite, `sub/deep/log ${(n + 1) * 700}`);
		after(0, ({ do: what }) => what === 'rename', 'next 5');
		return promises;
	}
	const ends = events.flatMap((event, index) => {
		if (event.do !== 'sync-end') return [];
		const begin = events.find((other) => other.do === 'sync-begin' && other.sync === event.sync);
		return begin?.do === 'sync-begin' ? [{ index, path: begin.path }] : [];
	});
	const ofLog = ends.filter(({ path }) => path === 'sub/deep/log');
	const name = ends.find(({ path }) => path === 'sub/deep')!.index;
	for (const [n, { index }] of ofLog.entries()) promises.set(Math.max(index, name), `sub/deep/log ${(n + 1) * 700}`);
	promises.set(ends.findLast(({ path }) => path === '')!.index, 'next 5');
	return promises;
}

describe('P15 the recorder of disk changes', () => {
	it('records every change of a program and its threads: replayed as a whole they give the same files', async () => {
		const { folder, events } = await recorded('careful');
		expect([...everythingOf(events)].sort()).toEqual([...readTree(folder)].sort());
		expect(new Set(events.map((event) => event.do))).toEqual(
			new Set(['start', 'create', 'mkdir', 'write', 'truncate', 'rename', 'remove', 'sync-begin', 'sync-end']),
		);
		expect(broken(events, promisesOf(events, true))).toEqual([]);
	});

	it('finds a program that promises before it syncs, the content or the name', async () => {
		const { events } = await recorded('careless');
		const found = broken(events, promisesOf(events, false));
		expect(found.some((each) => each.endsWith('sub/deep/log 1400'))).toBe(true);
		expect(found.some((each) => each.endsWith('next 5'))).toBe(true);
	});
});
