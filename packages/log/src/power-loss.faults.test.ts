import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiskRecording } from '@crowdvision/testing/disk-recording';
import { type DiskState, diskStates, everythingOf, readTree, writeTree } from '@crowdvision/testing/disk-states';
import { seedOf, statesOf } from '@crowdvision/testing/fault-parameters';
import { startNode } from '@crowdvision/testing/processes';
import { seeded } from '@crowdvision/testing/seeded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Incident } from './recovery/incident.ts';
import { LogWorld } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

/** `npm run test:faults -- --states 100000` tries nearly every state of these recordings. */
const STATES = statesOf(300);
const CHILD = fileURLToPath(new URL('./testing/power-child.ts', import.meta.url));
const MIB = 1024 * 1024;

let world: LogWorld;
beforeAll(() => {
	world = new LogWorld();
});
afterAll(() => world.end());

/** What was promised when the power went. */
class Promised {
	/** By source and seq: offset, or undefined for an acknowledged duplicate. */
	readonly acknowledged = new Map<string, number | undefined>();
	readonly consumed = new Map<string, number>();
	/** Highest offset that anybody outside knows. */
	highest = -1;
	cursor = 0;
	readTo = 0;

	constructor(marks: readonly string[]) {
		for (const mark of marks) {
			const [what, one, two, three] = mark.split(' ') as [string, string, string, string];
			if (what === 'a') this.acknowledged.set(`${one} ${two}`, Number(three));
			else if (what === 'd') this.acknowledged.set(`${one} ${two}`, this.acknowledged.get(`${one} ${two}`));
			else if (what === 'c') this.consumed.set(`${two} ${three}`, Number(one));
			else if (what === 'f') this.cursor = Number(one);
			else if (what === 'r') this.readTo = Math.max(this.readTo, Number(one));
			if (what === 'a') this.highest = Math.max(this.highest, Number(three));
			if (what === 'c') this.highest = Math.max(this.highest, Number(one));
		}
	}
}

/** Starts the log on a disk as a power cut left it, and says what is not as promised. */
async function wrongIn({ marks, tree }: DiskState, maxBytes: number): Promise<string[]> {
	const wrong: string[] = [];
	const promised = new Promised(marks);
	const folder = world.folders.make({ inMemory: true });
	writeTree(tree, folder);
	const incidents: Incident[] = [];
	const log = await world.open(join(folder, 'gateway/log'), {
		maxBytes,
		onIncident: (incident) => incidents.push(incident),
	});
	const { records, gaps } = await readAll(log, log.startOffset);
	const stored = new Map<string, number[]>();
	for (const { offset, text } of records) {
		const reading = text.trimEnd();
		stored.set(reading, [...(stored.get(reading) ?? []), offset]);
	}
	for (const [reading, offset] of promised.acknowledged) {
		const consumed = maxBytes < MIB ? promised.consumed.get(reading) : undefined;
		const found = stored.get(reading) ?? [];
		if (found.length === 0 && consumed === undefined) wrong.push(`${reading} was acknowledged and is gone`);
		if (offset !== undefined && found.some((each) => each !== offset)) wrong.push(`${reading} has another offset`);
		const [source, seq] = reading.split(' ') as [string, string];
		if (log.lookUp({ source, boot: '', seq: Number(seq), hash: Number(seq) * 31 }) !== 'duplicate')
			wrong.push(`${reading} would be stored again`);
	}
	for (const [reading, offsets] of stored) {
		const all = new Set([...offsets, ...(promised.consumed.has(reading) ? [promised.consumed.get(reading)!] : [])]);
		if (all.size > 1) wrong.push(`${reading} is there twice, at ${[...all].join(' and ')}`);
	}
	const isKnown = (from: number, to: number) =>
		[...promised.acknowledged.values(), ...promised.consumed.values()].some(
			(offset) => offset !== undefined && offset >= from && offset <= to,
		);
	for (const { what, lost } of incidents)
		if (lost && isKnown(lost.from, lost.to)) wrong.push(`${what}: ${lost.from} to ${lost.to} are said to be lost`);
	for (const { from, to, reason } of gaps)
		if (reason === 'damaged' && isKnown(from, to)) wrong.push(`${from} to ${to} are a gap`);
	if (log.nextOffset <= promised.highest) wrong.push(`offset ${log.nextOffset} would be given out again`);
	const cursor = log.cursor('relay', 0).position;
	if (cursor < promised.cursor) wrong.push(`the cursor was written at ${promised.cursor} and is at ${cursor}`);
	if (cursor > promised.readTo) wrong.push(`the cursor is at ${cursor}, only ${promised.readTo} was read`);
	const { first } = await log.append([{ payload: 'after the power cut' }]);
	const again = await log.read(first);
	if (again.records[0]?.payload.toString() !== 'after the power cut') wrong.push('what is appended now is not read');
	await log.close();
	world.folders.remove(folder);
	return wrong;
}

/** A run of the log's process: instead of which sync of a segment it is killed, which sync of its folder fails. */
interface Run {
	rounds: number;
	kill?: number;
	fail?: number;
}

const environment = (recording: DiskRecording, { kill, fail }: Run) =>
	recording.env(
		kill === undefined ? undefined : { path: /\.log$/, nth: kill },
		fail === undefined ? undefined : { path: /^gateway\/log$/, nth: fail },
	);

/** Runs of the log's process, one after the other on one disk. */
async function recorded(maxBytes: number, runs: readonly Run[]): Promise<DiskRecording> {
	const dir = world.folders.make();
	const recording = new DiskRecording(world.folders.make(), join(dir, 'trace'));
	let seq = 1;
	for (const run of runs) {
		const { rounds, kill } = run;
		const running = await startNode(CHILD, {
			args: [`${maxBytes}`, `${seq}`, `${rounds}`, ...(kill === undefined ? ['close'] : [])],
			env: environment(recording, run),
		});
		expect(await running.exited, running.stderr()).toEqual(
			kill === undefined ? { code: 0, signal: null } : { code: null, signal: 'SIGKILL' },
		);
		expect(new Map(everythingOf(recording.events()))).toEqual(readTree(recording.folder));
		// The devices send what was not acknowledged again.
		const promised = new Promised(recording.events().flatMap((event) => (event.do === 'mark' ? [event.text] : [])));
		while (promised.acknowledged.has(`door-1 ${seq}`) && promised.acknowledged.has(`door-2 ${seq}`)) seq++;
	}
	return recording;
}

describe('P15 a log after a power cut', () => {
	it.each([
		['that keeps everything', MIB],
		['that drops what was consumed', 24 * 1024],
	])(
		'has every acknowledged record once, whichever unsynced changes reached the disk: a log %s',
		{ timeout: 3_600_000 },
		async (_name, maxBytes) => {
			// A clean stop; then a kill between write and sync, after which a redelivery finds what only the cache holds.
			const recording = await recorded(maxBytes, [{ rounds: 10 }, { rounds: 30, kill: 9 }, { rounds: 12 }]);
			const events = recording.events();
			const wrong: Record<string, string[]> = {};
			let states = 0;
			for (const state of diskStates({ events, limit: STATES / 2, random: seeded(seedOf(15)) })) {
				states++;
				const found = await wrongIn(state, maxBytes).catch((error: unknown) => [`it does not start: ${error}`]);
				if (found.length > 0) wrong[`event ${state.cut}: ${state.what}`] = found.slice(0, 5);
				if (Object.keys(wrong).length >= 10) break;
			}
			expect(wrong).toEqual({});
			expect(states).toBeGreaterThan(Math.min(STATES / 2, events.length / 4));
		},
	);

	it.each([4, 7])(
		'has it also where the sync of its folder failed, the %sth time',
		{ timeout: 3_600_000 },
		async (nth) => {
			const recording = await recorded(MIB, [{ rounds: 24, fail: nth }, { rounds: 2 }]);
			const events = recording.events();
			const failed = events.findIndex((event) => event.do === 'sync-failed');
			// What the failed sync was for is refused, not acknowledged, and acknowledged when it is sent again.
			expect(events.findIndex((event) => event.do === 'mark' && event.text.startsWith('x '))).toBeGreaterThan(failed);
			const wrong: Record<string, string[]> = {};
			for (const state of diskStates({ events, limit: STATES / 4, random: seeded(seedOf(16 + nth)) })) {
				const found = await wrongIn(state, MIB).catch((error: unknown) => [`it does not start: ${error}`]);
				if (found.length > 0) wrong[`event ${state.cut}: ${state.what}`] = found.slice(0, 5);
				if (Object.keys(wrong).length >= 10) break;
			}
			expect(wrong).toEqual({});
		},
	);

	it('has it also where the power goes again while it starts', { timeout: 3_600_000 }, async () => {
		const maxBytes = 24 * 1024;
		const recording = await recorded(maxBytes, [{ rounds: 10 }, { rounds: 30, kill: 9 }]);
		const random = seeded(seedOf(19));
		const wrong: Record<string, string[]> = {};
		let states = 0;
		for (const first of diskStates({ events: recording.events(), limit: Math.ceil(STATES / 60), random })) {
			const folder = world.folders.make({ inMemory: true });
			writeTree(first.tree, folder);
			const start = new DiskRecording(folder, join(world.folders.make(), 'trace'));
			const running = await startNode(CHILD, { args: [`${maxBytes}`, '500', '1', 'close'], env: start.env() });
			expect(await running.exited, running.stderr()).toEqual({ code: 0, signal: null });
			const events = start.events();
			expect(new Map(everythingOf(events, first.tree))).toEqual(readTree(folder));
			for (const second of diskStates({ events, before: first.tree, limit: Math.ceil(STATES / 15), random })) {
				states++;
				const both = { ...second, marks: [...first.marks, ...second.marks] };
				const found = await wrongIn(both, maxBytes).catch((error: unknown) => [`it does not start: ${error}`]);
				if (found.length > 0)
					wrong[`${first.cut}: ${first.what}, then ${second.cut}: ${second.what}`] = found.slice(0, 5);
			}
			world.folders.remove(folder);
			if (Object.keys(wrong).length >= 10) break;
		}
		expect(wrong).toEqual({});
		expect(states).toBeGreaterThan(STATES / 10);
	});
});
