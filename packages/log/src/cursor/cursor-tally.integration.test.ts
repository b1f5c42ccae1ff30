import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommitWorker, startCommitWorker } from '../commit/worker.ts';
import { Log } from '../log.ts';
import type { LogOptions } from '../options.ts';
import type { WhenFull } from '../retention/policy.ts';
import type { Cursor } from './cursors.ts';

const failing = new Int32Array(new SharedArrayBuffer(4));
let worker: CommitWorker;
beforeAll(() => {
	worker = startCommitWorker({ failing });
});
afterAll(() => worker.close());

/** A consumer that reads a batch, delivers it and reports that to its tally. */
class Consumer {
	readonly cursor: Cursor;
	readonly #log: Log;
	#next: number;
	#held: { records: number; next: number } | undefined;

	constructor(log: Log, name: string) {
		this.#log = log;
		this.cursor = log.cursor(name);
		this.#next = this.cursor.position;
		this.cursor.tally.begin(this.#next, () => this.#held?.records ?? 0);
	}

	async take(maxRecords: number): Promise<void> {
		this.deliver();
		const { records, next, gaps } = await this.#log.read(this.#next, { maxRecords });
		this.#next = next;
		this.cursor.tally.read(next, gaps);
		this.#held = { records: records.length, next };
	}

	deliver(): void {
		if (!this.#held) return;
		this.cursor.tally.delivered(this.#held.records, this.#held.next, 0);
		this.cursor.commit(this.#held.next);
		this.#held = undefined;
	}

	goBack(by: number): void {
		this.#held = undefined;
		this.#next = Math.max(0, this.cursor.position - by);
		this.cursor.commit(this.#next);
		this.cursor.tally.begin(this.#next, () => this.#held?.records ?? 0);
	}
}

type Step =
	| { do: 'append'; count: number; size: number }
	| { do: 'break' | 'mend' | 'reopen' }
	| { do: 'take'; who: 0 | 1; count: number }
	| { do: 'deliver'; who: 0 | 1 }
	| { do: 'go back'; who: 0 | 1; by: number };

const who = fc.constantFrom(0 as const, 1 as const);
const steps = fc.array(
	fc.oneof(
		{
			weight: 6,
			arbitrary: fc.record({
				do: fc.constant('append' as const),
				count: fc.integer({ min: 1, max: 12 }),
				size: fc.integer({ min: 1, max: 6000 }),
			}),
		},
		{
			weight: 1,
			arbitrary: fc.record({
				do: fc.constantFrom('break' as const, 'mend' as const, 'mend' as const, 'reopen' as const),
			}),
		},
		{
			weight: 3,
			arbitrary: fc.record({ do: fc.constant('take' as const), who, count: fc.integer({ min: 1, max: 30 }) }),
		},
		{ weight: 2, arbitrary: fc.record({ do: fc.constant('deliver' as const), who }) },
		{
			weight: 1,
			arbitrary: fc.record({ do: fc.constant('go back' as const), who, by: fc.integer({ min: 0, max: 40 }) }),
		},
	),
	{ maxLength: 60 },
) as fc.Arbitrary<Step[]>;

async function inFolder<T>(work: (open: (change?: Partial<LogOptions>) => Promise<Log>) => Promise<T>): Promise<T> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-tally-'));
	const opened: Log[] = [];
	try {
		return await work(async (change) => {
			const log = await Log.open({ dir, worker, maxBytes: 256 * 1024, segmentBytes: 32 * 1024, ...change });
			opened.push(log);
			return log;
		});
	} finally {
		Atomics.store(failing, 0, 0);
		for (const log of opened) await log.close();
		await rm(dir, { recursive: true });
	}
}

describe('the tally of a consumer', () => {
	it('balances at every moment, whatever the policy drops, the disk refuses or the consumer does', async () => {
		await fc.assert(
			fc.asyncProperty(fc.constantFrom<WhenFull>('refuse', 'drop-oldest', 'drop-newest'), steps, (whenFull, all) =>
				inFolder(async (open) => {
					let log = await open({ whenFull });
					let consumers = [new Consumer(log, 'a'), new Consumer(log, 'b')];
					const check = () => {
						for (const { cursor } of consumers) expect(cursor.tally.balance()).toMatchObject({ imbalance: 0 });
					};
					for (const step of all) {
						if (step.do === 'append') {
							const appended = log.append(
								Array.from({ length: step.count }, () => ({ payload: Buffer.alloc(step.size, 'x') })),
							);
							check();
							await appended.catch(() => undefined);
						} else if (step.do === 'go back') consumers[step.who]!.goBack(step.by);
						else if (step.do === 'break') Atomics.store(failing, 0, 1);
						else if (step.do === 'mend') Atomics.store(failing, 0, 0);
						else if (step.do === 'reopen') {
							Atomics.store(failing, 0, 0);
							await log.close();
							log = await open({ whenFull });
							consumers = [new Consumer(log, 'a'), new Consumer(log, 'b')];
						} else if (step.do === 'take') await consumers[step.who]!.take(step.count);
						else if (step.do === 'deliver') consumers[step.who]!.deliver();
						check();
					}
				}),
			),
			{ numRuns: 60 },
		);
	}, 120_000);

	it('shows how many records a consumer skipped as an imbalance', () =>
		inFolder(async (open) => {
			const log = await open();
			const { tally } = log.cursor('careless');
			tally.begin(0);
			await log.append(Array.from({ length: 10 }, () => ({ payload: 'x' })));
			expect(tally.balance()).toEqual({ appended: 10, delivered: 0, lost: {}, queued: 10, imbalance: 0 });
			tally.read(10, []);
			tally.delivered(7, 10, 1);
			expect(tally.balance()).toEqual({ appended: 10, delivered: 7, lost: {}, queued: 0, imbalance: 3 });
		}));

	it('counts unread records that the policy dropped as lost, and waiting ones before the consumer begins', () =>
		inFolder(async (open) => {
			const log = await open({ whenFull: 'drop-oldest' });
			const { tally } = log.cursor('slow');
			for (let i = 0; i < 100; i++) await log.append([{ payload: Buffer.alloc(8000, 'x') }]);
			const { queued, lost, imbalance } = tally.balance();
			expect(lost).toEqual({ 'dropped-oldest': 100 - queued });
			expect(queued).toBeGreaterThan(20);
			expect(imbalance).toBe(0);
		}));

	it('remembers when the latest records were delivered', () =>
		inFolder(async (open) => {
			const log = await open();
			const { tally } = log.cursor('c');
			tally.begin(0);
			await log.append(Array.from({ length: 4 }, () => ({ payload: 'x' })));
			tally.read(4, []);
			tally.delivered(2, 2, 100);
			tally.delivered(2, 4, 200);
			expect([0, 1, 2, 3, 4].map((offset) => tally.deliveredAt(offset))).toEqual([100, 100, 200, 200, undefined]);
		}));
});
