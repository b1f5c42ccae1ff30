import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { killsOf } from '@crowdvision/testing/fault-parameters';
import { seeded } from '@crowdvision/testing/seeded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogWorld } from './testing/log-world.ts';
import { readAll } from './testing/read-all.ts';

const KILLS = killsOf(2, 60);
const CHILD = fileURLToPath(new URL('./testing/crash-child.ts', import.meta.url));
const MIB = 1024 * 1024;

let world: LogWorld;
const children = new Set<ChildProcessByStdio<Writable, Readable, Readable>>();
beforeAll(() => {
	world = new LogWorld();
});
afterAll(() => {
	for (const child of children) child.kill('SIGKILL');
	return world.end();
});

/** What the devices and the reader of the log know, over all runs of the log's process. */
class Outside {
	readonly #dir: string;
	readonly #maxBytes: number;
	readonly #random: () => number;
	/** The seq that each source sends next: the first that is not acknowledged. */
	readonly next: Record<string, number> = { 'named-1': 1, 'named-2': 1, 'plain-1': 1, 'plain-2': 1 };
	readonly #answered = new Map(Object.keys(this.next).map((source) => [source, new Set<number>()]));
	/** Acknowledged and read records, by offset. */
	readonly acknowledged = new Map<number, string>();
	readonly consumed = new Map<number, string>();
	readonly ids = new Set<string>();
	readonly wrong: string[] = [];
	duplicates = 0;
	starts = 0;
	#readTo = 0;
	#highest = -1;

	constructor(dir: string, maxBytes: number, seed: number) {
		this.#dir = dir;
		this.#maxBytes = maxBytes;
		this.#random = seeded(seed);
	}

	/** One run: starts the process and kills it at a random moment, possibly before the log is open. */
	async live(): Promise<void> {
		const child = spawn(process.execPath, [CHILD, this.#dir, `${this.#maxBytes}`, JSON.stringify(this.next)], {
			stdio: ['pipe', 'pipe', 'pipe'],
		});
		children.add(child);
		child.stdin.on('error', () => undefined);
		const ended = new Promise<NodeJS.Signals | null>((resolve) =>
			child.once('close', (_code, signal) => resolve(signal)),
		);
		let timer: NodeJS.Timeout | undefined;
		const killWithin = (ms: number) => {
			timer = setTimeout(() => child.kill('SIGKILL'), this.#random() * ms);
		};
		let rest = '';
		let complaint = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			complaint += text;
		});
		child.stdout.setEncoding('utf8').on('data', (text: string) => {
			const lines = (rest + text).split('\n');
			rest = lines.pop()!;
			for (const line of lines) {
				// Most runs are killed while they work, the others at any time: during start, repair or opening.
				if (line.startsWith('a ') && !timer) killWithin(60);
				this.#hear(line.split(' '));
			}
		});
		if (this.#random() < 0.2) killWithin(300);
		const signal = await ended;
		clearTimeout(timer);
		children.delete(child);
		if (signal !== 'SIGKILL') this.wrong.push(`it ended by itself: ${complaint}`);
	}

	#hear([what, ...words]: string[]): void {
		if (what === 'open') {
			this.starts++;
			const [id, nextOffset, cursor] = words as [string, string, string];
			this.ids.add(id);
			if (Number(nextOffset) <= this.#highest)
				this.wrong.push(`offset ${nextOffset} would be given out again after ${this.#highest}`);
			if (Number(cursor) > this.#readTo) this.wrong.push(`the cursor is at ${cursor}, only ${this.#readTo} was read`);
		} else if (what === 'a') {
			const [source, seq, offset] = words as [string, string, string];
			this.#highest = Math.max(this.#highest, Number(offset));
			this.#note(this.acknowledged, Number(offset), `${source} ${seq}`);
			this.#answer(source, Number(seq));
		} else if (what === 'd') {
			this.duplicates++;
			this.#answer(words[0]!, Number(words[1]));
		} else if (what === 'c') {
			this.#highest = Math.max(this.#highest, Number(words[0]));
			this.#note(this.consumed, Number(words[0]), `${words[1]} ${words[2]}`);
		} else if (what === 'r') this.#readTo = Math.max(this.#readTo, Number(words[0]));
		else if (what !== 'i' || words[0] !== 'torn-tail') this.wrong.push([what, ...words].join(' '));
	}

	#note(list: Map<number, string>, offset: number, reading: string): void {
		const known = list.get(offset);
		if (known !== undefined && known !== reading) this.wrong.push(`offset ${offset} is ${known} and ${reading}`);
		list.set(offset, reading);
	}

	#answer(source: string, seq: number): void {
		const answered = this.#answered.get(source)!.add(seq);
		while (answered.delete(this.next[source]!)) this.next[source]!++;
	}
}

describe('P1 a record that the log acknowledged', () => {
	it.each([
		['that keeps everything', 1024 * MIB, 1],
		['that gives up what was consumed', MIB / 8, 2],
	])(
		`through ${Math.ceil(KILLS / 2)} times kill -9: a log %s`,
		{ timeout: 600_000, concurrent: true },
		async (_name, maxBytes, seed) => {
			const dir = world.folders.make();
			const outside = new Outside(dir, maxBytes, seed);
			for (let kill = 0; kill < KILLS / 2; kill++) await outside.live();
			expect(outside.wrong).toEqual([]);
			expect(outside.ids.size).toBe(1);
			// The test did its work: most runs got to append, and redeliveries were recognized.
			expect(outside.starts).toBeGreaterThan(KILLS / 4);
			expect(outside.acknowledged.size).toBeGreaterThan(KILLS * 10);
			expect(outside.duplicates).toBeGreaterThan(KILLS);

			const log = await world.open(dir, { maxBytes });
			const { records, gaps } = await readAll(log, log.startOffset);
			const stored = new Map(outside.consumed);
			for (const { offset, text } of records) {
				const reading = text.trimEnd();
				expect(stored.get(offset) ?? reading).toBe(reading);
				stored.set(offset, reading);
			}
			const lost = [...outside.acknowledged].filter(([offset, reading]) => stored.get(offset) !== reading);
			expect(lost).toEqual([]);
			expect(gaps).toEqual([]);
			if (maxBytes > 100 * MIB) expect(log.startOffset).toBe(0);
			else expect(log.startOffset).toBeGreaterThan(0);

			const seqs = new Map<string, number[]>();
			for (const [, reading] of [...stored].sort(([a], [b]) => a - b)) {
				const [source, seq] = reading.split(' ') as [string, string];
				const found = seqs.get(source) ?? [];
				found.push(Number(seq));
				seqs.set(source, found);
			}
			for (const [source, found] of seqs) {
				// Once each, in order, without a hole up to the last acknowledged one.
				const ordered = found.every((seq, index) => index === 0 || seq > found[index - 1]!);
				expect([source, ordered, found.slice(0, outside.next[source]! - 1).at(-1)]).toEqual([
					source,
					true,
					outside.next[source]! - 1,
				]);
			}
			expect(seqs.size).toBe(4);
		},
	);
});
