import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DedupKey } from '../segment/record.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { type DedupOptions, DedupWindow, type Verdict } from './window.ts';

interface Remembered extends DedupKey {
	seconds: number;
	generation: number;
}

/** The rules in their simplest form: filtered arrays. */
class Model {
	readonly #options: Pick<DedupOptions, 'maxAgeSeconds' | 'maxPerSource'>;
	#durable: Remembered[] = [];
	#tentative: Remembered[] = [];

	constructor(options: Pick<DedupOptions, 'maxAgeSeconds' | 'maxPerSource'>) {
		this.#options = options;
	}

	/** The boot of an unnamed sender is incremented by each restart; it is that of the newest unnamed record. */
	#generation(source: string): number {
		const unnamed = [...this.#unpruned, ...this.#tentative].filter(
			(entry) => entry.source === source && entry.boot === '',
		);
		return unnamed.at(-1)?.generation ?? 0;
	}
	#unpruned: Remembered[] = [];

	lookUp(key: DedupKey, now: number): Verdict {
		const same = [...this.#durable, ...this.#tentative].filter(
			(entry) =>
				entry.source === key.source &&
				entry.boot === key.boot &&
				entry.seq === key.seq &&
				entry.seconds >= now - this.#options.maxAgeSeconds,
		);
		if (same.some((entry) => entry.hash === key.hash)) return 'duplicate';
		if (key.boot !== '') return same.length > 0 ? 'conflict' : 'new';
		return same.some((entry) => entry.generation === this.#generation(key.source)) ? 'restart' : 'new';
	}

	remember(key: DedupKey, now: number): Verdict {
		const verdict = this.lookUp(key, now);
		const generation = this.#generation(key.source) + (verdict === 'restart' ? 1 : 0);
		this.#tentative.push({ ...key, seconds: now, generation });
		return verdict;
	}

	confirm(count: number): void {
		for (const entry of this.#tentative.splice(0, count)) {
			this.#durable.push(entry);
			this.#unpruned.push(entry);
			const ofSource = this.#durable.filter(({ source }) => source === entry.source);
			const gone = new Set(ofSource.slice(0, Math.max(0, ofSource.length - this.#options.maxPerSource)));
			this.#durable = this.#durable.filter((other) => !gone.has(other));
		}
	}

	rollback(): void {
		this.#tentative = [];
	}

	get tentative(): number {
		return this.#tentative.length;
	}
}

const key: fc.Arbitrary<DedupKey> = fc.record({
	source: fc.constantFrom('a', 'b', 'ß'),
	boot: fc.constantFrom('', '', 'x', 'y'),
	seq: fc.integer({ min: -1, max: 12 }),
	hash: fc.integer({ min: 0, max: 2 }),
});
const step = fc.oneof(
	{
		weight: 8,
		arbitrary: fc.record({ do: fc.constant('remember' as const), keys: fc.array(key, { minLength: 1, maxLength: 6 }) }),
	},
	{
		weight: 4,
		arbitrary: fc.record({ do: fc.constant('confirm' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
	},
	{ weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const) }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 12 }) }) },
	{ weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const) }) },
);
const bounds = { maxAgeSeconds: 20, maxPerSource: 9 };
const everyKey = ['a', 'b', 'ß', 'unknown source'].flatMap((source) =>
	['', 'x', 'y', 'z'].flatMap((boot) =>
		Array.from({ length: 15 }, (_, seq) => seq - 1).flatMap((seq) =>
			[0, 1, 2].map((hash) => ({ source, boot, seq, hash })),
		),
	),
);
const reload = (window: DedupWindow, seconds: number) => {
	const back = decodeSnapshot(encodeSnapshot({ window, offset: 77, seconds }), bounds);
	expect(back).toMatchObject({ offset: 77, seconds });
	return back!.window;
};

describe('the dedup window', () => {
	it('gives every key the same verdict as a plain list, through failed writes, time and snapshots', () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				let window = new DedupWindow(bounds);
				const model = new Model(bounds);
				let now = 0;
				for (const todo of steps) {
					if (todo.do === 'remember') {
						for (const each of todo.keys) expect(window.remember(each, now)).toBe(model.remember(each, now));
					} else if (todo.do === 'confirm') {
						const count = Math.round(model.tentative * todo.share);
						window.confirm(count);
						model.confirm(count);
					} else if (todo.do === 'rollback') {
						window.rollback();
						model.rollback();
					} else if (todo.do === 'wait') now += todo.seconds;
					else {
						// Tentative keys are not in the snapshot.
						window = reload(window, now);
						model.rollback();
					}
				}
				for (const each of everyKey) {
					const verdict = window.lookUp(each, now);
					if (verdict !== model.lookUp(each, now))
						expect({ ...each, verdict }).toEqual({ ...each, verdict: model.lookUp(each, now) });
				}
			}),
			{ numRuns: 400 },
		);
	});

	it('recognizes a redelivery up to its age bound and its number of records per source', () => {
		const window = new DedupWindow({ maxAgeSeconds: 600, maxPerSource: 3 });
		const of = (seq: number): DedupKey => ({ source: 'door', boot: 'b', seq, hash: 1 });
		for (const seq of [1, 2, 3]) window.remember(of(seq), 0);
		window.confirm(3);
		expect(window.lookUp(of(1), 600)).toBe('duplicate');
		expect(window.lookUp(of(1), 601)).toBe('new');
		window.remember(of(4), 0);
		expect(window.lookUp(of(1), 0)).toBe('duplicate');
		window.confirm(1);
		expect(window.lookUp(of(1), 0)).toBe('new');
		expect([2, 3, 4].map((seq) => window.lookUp(of(seq), 0))).toEqual(['duplicate', 'duplicate', 'duplicate']);
	});

	it('forgets no stored record because of failed writes, however often they are tried', () => {
		const window = new DedupWindow({ maxPerSource: 100 });
		for (let seq = 0; seq < 100; seq++) window.remember({ source: 'door', boot: '', seq, hash: seq }, 0);
		window.confirm(100);
		for (let tries = 0; tries < 500; tries++) {
			expect(window.remember({ source: 'door', boot: '', seq: 100, hash: 1 }, 1)).toBe('new');
			window.rollback();
		}
		for (let seq = 0; seq < 100; seq++)
			expect(window.lookUp({ source: 'door', boot: '', seq, hash: seq }, 1)).toBe('duplicate');
		expect(window.entries).toBe(100);
	});

	it('reports a restart again when the record of the restart failed to be written', () => {
		const window = new DedupWindow();
		window.remember({ source: 'door', boot: '', seq: 1, hash: 1 }, 0);
		window.confirm(1);
		for (let tries = 0; tries < 3; tries++) {
			expect(window.remember({ source: 'door', boot: '', seq: 1, hash: 2 }, 0)).toBe('restart');
			window.rollback();
		}
	});

	it('stays within its bounds whatever is sent, and still knows the newest records', () => {
		const sent = fc.record({
			source: fc.integer({ min: 0, max: 60 }).map((n) => `s${n}`),
			boot: fc.constantFrom('', 'x'),
			seq: fc.integer({ min: 0, max: 1000 }),
			hash: fc.nat({ max: 0xffff_ffff }),
		});
		fc.assert(
			fc.property(fc.array(fc.array(sent, { minLength: 1, maxLength: 10 }), { maxLength: 60 }), (batches) => {
				const window = new DedupWindow({ maxEntries: 50, maxSources: 20, maxPerSource: 30, maxAgeSeconds: 1000 });
				const known = new Set<string>();
				for (const [now, batch] of batches.entries()) {
					for (const each of batch) {
						const id = `${each.source} ${each.boot} ${each.seq} ${each.hash}`;
						if (window.remember(each, now) === 'duplicate') expect(known).toContain(id);
						known.add(id);
					}
					window.confirm(batch.length);
					expect(window.lookUp(batch.at(-1)!, now)).toBe('duplicate');
					expect(window.entries).toBeLessThanOrEqual(50);
					expect(window.sources).toBeLessThanOrEqual(20);
					let entries = 0;
					for (const each of window.export().values()) entries += each.count;
					expect(window.entries).toBe(entries);
				}
			}),
			{ numRuns: 200 },
		);
	});

	it('does not count a source whose writes all failed', () => {
		const window = new DedupWindow({ maxSources: 10 });
		for (let n = 0; n < 1000; n++) {
			window.remember({ source: `s${n}`, boot: '', seq: 1, hash: 1 }, 0);
			window.rollback();
		}
		expect([window.sources, window.entries]).toEqual([0, 0]);
	});
});

describe('a dedup snapshot', () => {
	const some = () => {
		const window = new DedupWindow();
		for (let seq = 0; seq < 40; seq++) window.remember({ source: `s${seq % 3}`, boot: '', seq, hash: seq }, seq);
		window.confirm(40);
		return encodeSnapshot({ window, offset: 40, seconds: 40 });
	};

	it('is refused without throwing when any byte is changed or any part is missing', () => {
		const bytes = some();
		fc.assert(
			fc.property(
				fc.nat({ max: bytes.length - 1 }),
				fc.integer({ min: 1, max: 255 }),
				fc.boolean(),
				(at, flip, cut) => {
					const damaged = Buffer.from(cut ? bytes.subarray(0, at) : bytes);
					if (!cut) damaged[at]! ^= flip;
					expect(decodeSnapshot(damaged, {})).toBeUndefined();
				},
			),
			{ numRuns: 500 },
		);
	});

	it('obeys bounds that became narrower since it was written', () => {
		const back = decodeSnapshot(some(), { maxPerSource: 2 })!.window;
		expect(back.entries).toBe(6);
		expect(back.lookUp({ source: 's0', boot: '', seq: 39, hash: 39 }, 40)).toBe('duplicate');
		expect(back.lookUp({ source: 's0', boot: '', seq: 0, hash: 0 }, 40)).toBe('new');
	});
});
