import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CommitWorker, startCommitWorker } from './commit/worker.ts';
import { LogFullError } from './errors.ts';
import { Log } from './log.ts';
import type { WhenFull } from './retention/policy.ts';
import { Folders } from './testing/folders.ts';
import { covers, readAll } from './testing/read-all.ts';

const folders = new Folders();
let worker: CommitWorker;
beforeAll(() => {
	worker = startCommitWorker();
});
afterEach(() => folders.removeAll());
afterAll(() => worker.close());

const share = fc.double({ min: 0, max: 1, noNaN: true });
const step = fc.oneof(
	{
		weight: 10,
		arbitrary: fc.record({
			do: fc.constant('append' as const),
			sizes: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 }),
		}),
	},
	{ weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
	{
		weight: 5,
		arbitrary: fc.record({
			do: fc.constant('read' as const),
			from: share,
			maxRecords: fc.integer({ min: 1, max: 40 }),
			maxBytes: fc.constantFrom(1, 5000, 1e6),
		}),
	},
	{
		weight: 5,
		arbitrary: fc.record({
			do: fc.constant('consume' as const),
			name: fc.constantFrom('relay', 'bridge'),
			maxRecords: fc.integer({ min: 1, max: 60 }),
		}),
	},
	{ weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
	{ weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
);

/** A log, with everything that was requested of it and promised by it. */
class Harness {
	log!: Log;
	readonly #whenFull: WhenFull;
	#dir = folders.make();
	#life = 0;
	#serial = 0;
	/** Texts of the promised records, by offset. */
	readonly #promised = new Map<number, string>();
	/** Offsets of records that were dropped by drop-newest. */
	readonly #thrownAway = new Set<number>();
	/** The offsets among them that a crash may have made the log forget. */
	readonly #perhapsTold = new Set<number>();
	/** Texts that were appended and not answered yet. */
	readonly #asked = new Set<string>();
	#open: Promise<unknown>[] = [];
	/** The next offset of each cursor; after a kill it may be an earlier one. */
	readonly #cursors = new Map<string, number>();
	#bytesAtOpen = 0;

	constructor(whenFull: WhenFull) {
		this.#whenFull = whenFull;
	}

	async open(): Promise<void> {
		this.log = await Log.open({
			dir: this.#dir,
			worker,
			whenFull: this.#whenFull,
			maxBytes: 64 * 1024,
			segmentBytes: 8 * 1024,
			onIncident: ({ what }) => expect(what).toBe('torn-tail'),
		});
		this.#bytesAtOpen = this.log.stats().bytes;
	}

	append(sizes: readonly number[]): void {
		const life = this.#life;
		const texts = sizes.map((size) => `${this.#serial++} `.padEnd(size, '.'));
		for (const text of texts) this.#asked.add(text);
		const begin = this.log.nextOffset;
		const appended = this.log.append(texts.map((payload) => ({ payload }))).then(
			({ first, count, dropped }) => {
				if (life !== this.#life) return;
				expect([first, count]).toEqual([begin, texts.length]);
				for (const [index, text] of texts.entries()) {
					this.#asked.delete(text);
					if (dropped) this.#thrownAway.add(first + index);
					else this.#promised.set(first + index, text);
				}
			},
			(error) => {
				if (life !== this.#life) return;
				expect(error).toBeInstanceOf(LogFullError);
				for (const text of texts) this.#asked.delete(text);
			},
		);
		this.#open.push(appended);
	}

	async settle(): Promise<void> {
		await Promise.all(this.#open);
		this.#open = [];
	}

	/** Checks that promised records are read in order, and that exactly the missing ones are reported as gaps. */
	async read(from: number, maxRecords: number, maxBytes: number): Promise<number> {
		const { records, gaps, next } = await this.log.read(from, { maxRecords, maxBytes });
		// Appends are answered in the same turn in which readers see their records.
		await new Promise((resolve) => setImmediate(resolve));
		expect(records.length).toBeLessThanOrEqual(maxRecords);
		expect(next).toBeGreaterThanOrEqual(from);
		let last = from - 1;
		for (const { offset, payload } of records) {
			expect(offset).toBeGreaterThan(last);
			expect(this.#promised.get(offset)).toBe(payload.toString());
			last = offset;
		}
		expect(last).toBeLessThan(next);
		const given = new Set(records.map(({ offset }) => offset));
		const missing = [...this.#promised.keys(), ...this.#thrownAway].filter(
			(offset) => offset >= from && offset < next && !given.has(offset),
		);
		expect(missing.filter((offset) => !covers(gaps)(offset))).toEqual([]);
		const perhaps = [...this.#perhapsTold].filter(covers(gaps)).length;
		expect(gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)).toBe(missing.length + perhaps);
		for (const { reason } of gaps) expect(reason).not.toBe('damaged');
		if (this.#whenFull !== 'drop-oldest') for (const { reason } of gaps) expect(reason).not.toBe('dropped-oldest');
		return next;
	}

	/** The offset of a record, or one next to it. */
	somewhere(part: number): number {
		const offsets = [-1, ...this.#promised.keys(), ...this.#thrownAway, this.log.endOffset];
		return Math.max(0, offsets[Math.floor(part * (offsets.length - 1))]! + (Math.floor(part * 1000) % 3) - 1);
	}

	async consume(name: string, maxRecords: number): Promise<void> {
		const cursor = this.log.cursor(name);
		const position = cursor.position;
		const known = this.#cursors.get(name);
		if (known !== undefined) expect(position).toBeLessThanOrEqual(known);
		const { gaps } = await this.log.read(position, { maxRecords });
		// Nothing that a cursor has still to pass was removed as consumed.
		if (known !== undefined) for (const { reason } of gaps) expect(reason).not.toBe('consumed');
		if (this.#whenFull === 'refuse') expect(gaps).toEqual([]);
		const next = await this.read(position, maxRecords, 1e6);
		cursor.commit(next);
		this.#cursors.set(name, next);
	}

	async reopen(): Promise<void> {
		const open = this.settle();
		const before = this.log;
		await before.close();
		await open;
		await this.open();
		expect(this.log.id).toBe(before.id);
		expect(this.log.nextOffset).toBe(before.nextOffset);
		expect([this.log.startOffset, this.log.endOffset]).toEqual([before.startOffset, before.endOffset]);
		expect(Object.fromEntries(this.log.cursors())).toEqual(Object.fromEntries(before.cursors()));
		await this.readEverything();
	}

	async kill(): Promise<void> {
		const before = this.log;
		const given = before.nextOffset;
		const copy = folders.asIfKilled(this.#dir);
		this.#life++;
		this.#open = [];
		await before.close();
		folders.remove(this.#dir);
		this.#dir = copy;
		await this.open();
		expect(this.log.id).toBe(before.id);
		expect(this.log.nextOffset).toBeGreaterThan(given);
		// Appends under way may be stored or not; drops within the last second may be forgotten.
		const { records } = await readAll(this.log);
		for (const { offset, text } of records) {
			if (this.#promised.has(offset)) continue;
			expect(this.#asked.has(text)).toBe(true);
			this.#promised.set(offset, text);
		}
		this.#asked.clear();
		for (const offset of this.#thrownAway) this.#perhapsTold.add(offset);
		this.#thrownAway.clear();
		for (const [name, position] of this.log.cursors())
			expect(position).toBeLessThanOrEqual(this.#cursors.get(name) ?? 0);
		for (const name of this.#cursors.keys()) if (!this.log.cursors().has(name)) this.#cursors.delete(name);
		await this.readEverything();
	}

	async readEverything(): Promise<void> {
		for (let position = 0; position < this.log.endOffset; ) position = await this.read(position, 50, 1e6);
	}

	/** A crash may undo removals that it interrupted, so the bound may be exceeded by the size before them. */
	checkSize(): void {
		expect(this.log.stats().bytes).toBeLessThanOrEqual(Math.max(this.#bytesAtOpen, 64 * 1024));
	}

	async end(): Promise<void> {
		await this.settle();
		await this.readEverything();
		this.checkSize();
		await this.log.close();
		folders.remove(this.#dir);
	}
}

describe('the log behaves like a list of promised records', () => {
	it.each(['refuse', 'drop-oldest', 'drop-newest'] as const)('with the policy %s when it is full', async (whenFull) => {
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
				const harness = new Harness(whenFull);
				await harness.open();
				for (const todo of steps) {
					if (todo.do === 'append') harness.append(todo.sizes);
					else if (todo.do === 'settle') await harness.settle();
					else if (todo.do === 'read') await harness.read(harness.somewhere(todo.from), todo.maxRecords, todo.maxBytes);
					else if (todo.do === 'consume') await harness.consume(todo.name, todo.maxRecords);
					else if (todo.do === 'reopen') await harness.reopen();
					else await harness.kill();
					harness.checkSize();
				}
				await harness.end();
			}),
			{ numRuns: 15 },
		);
	});
});
