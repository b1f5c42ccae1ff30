import { join } from 'node:path';
import { faultParameter, seedOf } from '@crowdvision/testing/fault-parameters';
import { seeded } from '@crowdvision/testing/seeded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gap } from './cursor/gaps.ts';
import { Log } from './log.ts';
import type { LogOptions } from './options.ts';
import { CheckpointFile } from './recovery/checkpoint-file.ts';
import type { Incident } from './recovery/incident.ts';
import type { LogMeta } from './recovery/meta.ts';
import type { DedupKey } from './segment/record.ts';
import { type Damage, damage, placesOf, type RecordPlace } from './testing/damage.ts';
import { key, LogWorld, numbered } from './testing/log-world.ts';
import { covers, type Everything, readAll } from './testing/read-all.ts';

const DAMAGES = faultParameter('FAULT_DAMAGES', 360);
const options: Partial<LogOptions> = { maxBytes: 96 * 1024, segmentBytes: 8 * 1024, whenFull: 'drop-oldest' };

/** Large enough that appends after the damage drop nothing. */
const roomy: Partial<LogOptions> = { ...options, maxBytes: 1024 * 1024 };

interface Stored {
	text: string;
	key: DedupKey;
}

/** A used log, as a process left it behind. */
interface Populated {
	dir: string;
	id: string;
	/** Records it must return: acknowledged and still held. */
	stored: Map<number, Stored>;
	/**
	 * Records that it gave up; a file of theirs that is not deleted yet is read again where the newest meta is damaged.
	 */
	givenUp: Map<number, Stored>;
	/** Records that were on their way to the disk. */
	underWay: Set<string>;
	/** No offset from here on was ever assigned. */
	given: number;
	places: Map<number, RecordPlace>;
	cursors: Map<string, number>;
	/** The end that the meta file knows. */
	metaEnd: number;
	gaps: Gap[];
}

let world: LogWorld;
const populated: Populated[] = [];

/** Makes a log with several sources, segments, runs, a failed write and a cursor with a loss, ended as requested. */
async function populate(ending: 'closed' | 'killed' | 'killed in the midst of it'): Promise<Populated> {
	let dir = world.folders.make();
	let log = await world.open(dir, options);
	const stored = new Map<number, Stored>();
	let serial = 0;
	const append = async (count: number) => {
		for (let left = count; left > 0; ) {
			const records = Array.from({ length: Math.min(left, 1 + (serial % 5)) }, () => {
				const text = `${serial} `.padEnd(40 + ((serial * 37) % 200), '.');
				return {
					payload: text,
					key: { source: `s${serial % 4}`, boot: serial % 8 < 4 ? '' : 'b', seq: 1 + serial++, hash: 1 },
				};
			});
			left -= records.length;
			const { first } = await log.append(records);
			for (const [index, { payload, key: itsKey }] of records.entries())
				stored.set(first + index, { text: payload, key: itsKey });
		}
	};
	const relay = () => log.cursor('relay');
	log.cursor('slow').commit(0);
	await append(300);
	relay().commit(200);
	await log.flush();
	dir = world.folders.asIfKilled(dir);
	log = await world.open(dir, options);
	await append(200);
	world.disk.refuse();
	await log.append([{ payload: 'never there', key: key(1e6) }]).catch(() => undefined);
	world.disk.mend();
	await append(100);
	await log.close();
	log = await world.open(dir, options);
	await append(80);
	relay().commit(log.endOffset - 20);
	await log.flush();
	const underWay = new Set<string>();
	if (ending === 'closed') await log.close();
	if (ending === 'killed in the midst of it') {
		await append(60);
		for (const record of numbered(7, 0, 50)) {
			underWay.add(record.payload);
			void log.append([record]);
		}
	}
	const given = log.nextOffset;
	const cursors = new Map(log.cursors());
	const left = ending === 'closed' ? dir : world.folders.asIfKilled(dir);
	const meta = new CheckpointFile<LogMeta>(join(left, 'meta')).read().value!;
	const givenUp = new Map([...stored].filter(([offset]) => offset < meta.start));
	for (const offset of givenUp.keys()) stored.delete(offset);
	expect(stored.size).toBeGreaterThan(300);
	return {
		dir: left,
		id: log.id,
		stored,
		givenUp,
		underWay,
		given,
		places: placesOf(left),
		cursors,
		metaEnd: meta.end,
		gaps: meta.gaps.filter((gap): gap is Gap => gap.reason !== 'unwritten'),
	};
}

beforeAll(async () => {
	world = new LogWorld();
	for (const ending of ['closed', 'killed', 'killed in the midst of it'] as const)
		populated.push(await populate(ending));
});
afterAll(() => world.end());

const size = ({ from, to }: { from: number; to: number }) => to - from + 1;
/** Each lost offset with its reason, as text. */
const offsetsOf = (gaps: readonly Gap[]) =>
	gaps.flatMap(({ from, to, reason }) => Array.from({ length: to - from + 1 }, (_, n) => `${reason} ${from + n}`));
const accountedFor = (all: Everything, incidents: readonly Incident[]) => [
	...all.gaps.filter(({ reason }) => reason === 'damaged'),
	...incidents.flatMap(({ lost }) => lost ?? []),
];

/** Damages a copy once, and checks everything that P2 guarantees. */
async function survive(before: Populated, index: number, random: () => number): Promise<void> {
	const dir = world.folders.copy(before.dir);
	const harm = damage(dir, random);
	const incidents: Incident[] = [];
	const onIncident = (incident: Incident) => void incidents.push(incident);
	const log = await Log.open({ dir, worker: world.worker, ...roomy, onIncident });

	// Undamaged records are read in order; nothing is made up.
	const all = await readAll(log, 0, 1 + Math.floor(random() * 300));
	const read = new Map(all.records.map(({ offset, text }) => [offset, text]));
	expect([...read.keys()]).toEqual([...read.keys()].sort((a, b) => a - b));
	expect(read.size).toBe(all.records.length);
	const again = [...read.keys()].filter((offset) => before.givenUp.has(offset));
	if (!harm.file.startsWith('meta')) expect(again).toEqual([]);
	const stored = new Map([...again.map((offset) => [offset, before.givenUp.get(offset)!] as const), ...before.stored]);
	for (const [offset, text] of read)
		if (stored.get(offset)?.text !== text) expect([...before.underWay]).toContain(text);
	const touched = (offset: number) => isTouched(before.places.get(offset)!, harm);
	const missing = [...stored.keys()].filter((offset) => !read.has(offset));
	expect(missing.filter((offset) => !touched(offset))).toEqual([]);

	// Every loss is reported, and nothing readable is reported as lost.
	const { first } = await log.append([{ payload: 'after', key: key(1, 'after') }]);
	const after = await readAll(log);
	const ranges = accountedFor(after, incidents);
	const isTold = covers(ranges);
	const unknowable = (offset: number) => offset >= before.metaEnd && isUnknowable(before, index, harm);
	expect(missing.filter((offset) => !isTold(offset) && !unknowable(offset))).toEqual([]);
	expect([...read.keys()].filter(isTold)).toEqual([]);
	expect(after.records.map(({ text }) => text)).toEqual([...read.values(), 'after']);
	for (const range of ranges) {
		// After a clean close exactly the missing records are reported; after a crash the end may have been further on than
		// known.
		const sure = index === 0 ? before.given - 1 : Math.max(...before.stored.keys());
		const more = { from: range.from, to: Math.min(range.to, sure) };
		const really = missing.filter(covers([more])).length;
		if (more.to >= more.from) expect(really).toBe(size(more));
		if (index === 0) expect(range.to).toBeLessThanOrEqual(sure);
		else expect(size(range)).toBeLessThan(1000);
	}
	// Records dropped before are reported as dropped.
	const dropped = after.gaps.filter(({ reason }) => reason !== 'damaged');
	expect(offsetsOf(dropped)).toEqual(
		offsetsOf(before.gaps).filter((offset) => !again.some((at) => offset.endsWith(` ${at}`))),
	);

	// No offset is assigned twice, and the id stays.
	expect(log.id).toBe(before.id);
	expect(first).toBeGreaterThanOrEqual(before.given);
	for (const [name, position] of log.cursors()) expect(position).toBeLessThanOrEqual(before.cursors.get(name)!);
	expect([...log.cursors().keys()]).toEqual([...before.cursors.keys()]);

	// Dedup forgets only lost records, and takes no new one for a duplicate.
	for (const [offset, { key: itsKey }] of stored) {
		const verdict = log.lookUp(itsKey);
		if (read.has(offset)) expect(verdict).toBe('duplicate');
		else if (verdict !== 'duplicate') expect([verdict, isTold(offset) || unknowable(offset)]).toEqual(['new', true]);
		expect(log.lookUp({ ...itsKey, hash: 2 })).not.toBe('duplicate');
	}
	for (const fresh of [key(1, 'fresh'), { ...key(1e6, 's1'), boot: '' }, { ...key(1e6, 's1'), boot: 'b' }, key(1e6)])
		expect(log.lookUp(fresh)).toBe('new');

	// The log goes on, and reports nothing new at the next start.
	await log.close();
	incidents.length = 0;
	const reopened = await Log.open({ dir, worker: world.worker, ...roomy, onIncident });
	expect(reopened.nextOffset).toBe(first + 1);
	expect(await readAll(reopened)).toEqual(after);
	expect(reopened.lookUp(key(1, 'after'))).toBe('duplicate');
	await reopened.close();
	expect(incidents.filter(({ what }) => what !== 'damaged-header')).toEqual([]);
	world.folders.remove(dir);
}

function isTouched({ file, from, to }: RecordPlace, harm: Damage): boolean {
	return file === harm.file && from < harm.to && to > harm.from;
}

/** After a crash nothing records where the last segment ended, if its end or all of it is gone. */
function isUnknowable(before: Populated, index: number, harm: Damage): boolean {
	const last = [...before.places.values()].at(-1)!.file;
	const shortened = ['cut', 'remove', 'delete', 'folder'].includes(harm.kind);
	return index > 0 && harm.file === last && shortened;
}

describe('P2 a log on a damaged disk', () => {
	it.each([
		['closed in good order', 0],
		['killed', 1],
		['killed under load', 2],
	])(
		`serves what no damage touched and says exactly what is lost: a log %s, ${Math.ceil(DAMAGES / 3)} damages`,
		{ timeout: 600_000 },
		async (_name, index) => {
			const seed = seedOf(20261122) + index * 1e6;
			for (let run = 0; run < DAMAGES / 3; run++) {
				const random = seeded(seed + run);
				await survive(populated[index]!, index, random).catch((error: Error) => {
					throw new Error(
						`damage of seed ${seed + run} (${JSON.stringify(describeDamage(index, seed + run))}): ${error.message}`,
						{ cause: error },
					);
				});
			}
		},
	);

	/** What a seed does, for analysing a failure. */
	function describeDamage(index: number, seed: number): Damage {
		return damage(world.folders.copy(populated[index]!.dir), seeded(seed));
	}
});
