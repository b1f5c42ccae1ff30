import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lease } from './lease.ts';
import { LeaseClaim, type LeaseDocument } from './lease-claim.ts';
import { sqliteStores } from './sqlite/sqlite-store.ts';
import type { Store, Stores } from './store.ts';

const TTL_MS = 400;
const RUNS = 60;

let dir: string;
let stores: Stores;
let store: Store;

beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-lease-'));
	stores = sqliteStores({ dir });
	store = await stores.open('leases', { collections: { leases: {} } });
});

afterEach(async () => {
	await stores.close();
	await rm(dir, { recursive: true, force: true });
});

const gone = () => new CrowdVisionError('unavailable', 'gone');

/** A store as one replica sees it: `before` and `after` may fail or hold up its commits. */
function seenBy(fault: { before?: () => Promise<void> | void; after?: () => Promise<void> | void }): Store {
	return {
		...{ readings: undefined as never, trouble: () => store.trouble(), close: async () => {} },
		collection: (name) => store.collection(name),
		commit: async (writes) => {
			await fault.before?.();
			await store.commit(writes);
			await fault.after?.();
		},
	};
}

const aborted = (signal: AbortSignal) =>
	new Promise<void>((resolve) =>
		signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
	);

/** A replica that says what it does. */
function replica(holder: string, log: string[], through: Store = store, ttlMs = TTL_MS) {
	const lease = new Lease(through, { name: 'stream', holder, ttlMs });
	return lease.hold(async (signal) => {
		log.push(`${holder} begins`);
		await aborted(signal);
		log.push(`${holder} ends`);
	});
}

describe('a lease', () => {
	it('lets one work at a time, and the next begin when it is given back', async () => {
		const log: string[] = [];
		const one = replica('one', log);
		await waitFor('the first', () => one.held);
		const two = replica('two', log);
		// Longer than the time to live: it is renewed.
		const { version } = (await store.collection('leases').get('stream'))!;
		await waitFor(
			'some renewals',
			async () => (await store.collection('leases').get('stream'))!.version >= version + 4,
		);
		expect([one.held, two.held]).toEqual([true, false]);
		await one.close();
		await waitFor('the second', () => two.held);
		await two.close();
		expect(log).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
		expect((await store.collection<LeaseDocument>('leases').get('stream'))!.value.holder).toBe('');
	});

	it('ends the work of who can renew no more before another begins, and goes on when it can again', async () => {
		const log: string[] = [];
		let away = false;
		const one = replica('one', log, seenBy({ before: () => (away ? Promise.reject(gone()) : undefined) }));
		await waitFor('the first', () => one.held);
		const two = replica('two', log);
		away = true;
		await waitFor('the second', () => two.held);
		expect(one.held).toBe(false);
		expect(log).toEqual(['one begins', 'one ends', 'two begins']);
		away = false;
		await two.close();
		await waitFor('the first again', () => one.held);
		await one.close();
	});

	it('is held through renewals that fail now and then, and through answers that get lost', async () => {
		const log: string[] = [];
		let commits = 0;
		const lost = seenBy({ after: () => (++commits % 2 === 0 ? Promise.reject(gone()) : undefined) });
		// A machine that has other work must not be what it is lost by.
		const one = replica('one', log, lost, 5 * TTL_MS);
		await waitFor('many renewals', () => commits > 8);
		await one.close();
		expect(log).toEqual(['one begins', 'one ends']);
	});

	it('ends the work in time when the store does not answer at all', async () => {
		const log: string[] = [];
		const stuck = Promise.withResolvers<void>();
		let hangs = false;
		const one = replica('one', log, seenBy({ before: () => (hangs ? stuck.promise : undefined) }));
		await waitFor('the first', () => one.held);
		hangs = true;
		await waitFor('its end', () => log.includes('one ends'));
		expect(one.held).toBe(false);
		stuck.resolve();
		await one.close();
	});

	it('is given back when the work fails, and claimed again', async () => {
		let tries = 0;
		const holding = new Lease(store, { name: 'stream', holder: 'one', ttlMs: TTL_MS }).hold(async (signal) => {
			if (++tries < 3) throw new Error('the bus is away');
			await aborted(signal);
		});
		await waitFor('the third try', () => tries === 3 && holding.held);
		await holding.close();
		expect(holding.held).toBe(false);
	});

	it('is never held by two at once, whatever their clocks say and whatever fails', async () => {
		const turn = fc.record({
			who: fc.integer({ min: 0, max: 2 }),
			/** Real time until it acts, in the attempt before its commit, and after it. */
			waits: fc.tuple(
				fc.integer({ min: 0, max: 60 }),
				fc.integer({ min: 0, max: 15 }),
				fc.integer({ min: 0, max: 15 }),
			),
			fault: fc.constantFrom('none', 'none', 'none', 'refused', 'answer lost', 'release'),
		});
		let run = 0;
		let holders = 0;
		await fc.assert(
			fc.asyncProperty(fc.array(turn, { minLength: 40, maxLength: 60 }), async (turns) => {
				const name = `run ${++run}`;
				let time = 0;
				const replicas = [-1e6, 0, 1e9].map((offset, index) => {
					const now = { waits: [0, 0, 0] as [number, number, number], fault: 'none' };
					const through = seenBy({
						before: () => {
							time += now.waits[1];
							if (now.fault === 'refused') throw gone();
						},
						after: () => {
							time += now.waits[2];
							if (now.fault === 'answer lost') throw gone();
						},
					});
					const claim = new LeaseClaim(through, 'leases', { name, token: `r${index}`, ttlMs: 100 });
					return { now, claim, clock: () => time + offset, until: Number.NEGATIVE_INFINITY };
				});
				for (const { who, waits, fault } of turns) {
					const one = replicas[who]!;
					time += waits[0];
					Object.assign(one.now, { waits, fault });
					if (fault === 'release') {
						one.until = Number.NEGATIVE_INFINITY;
						await one.claim.release();
					} else {
						await one.claim.attempt(one.clock).then(
							(until) => {
								one.until = until ?? Number.NEGATIVE_INFINITY;
							},
							() => {},
						);
					}
					const held = replicas.filter(({ clock, until }) => clock() < until).length;
					expect(held).toBeLessThanOrEqual(1);
					holders += held;
				}
			}),
			{ numRuns: RUNS },
		);
		expect(holders).toBeGreaterThan(RUNS);
	});
});
