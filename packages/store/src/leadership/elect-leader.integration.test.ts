import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteStores } from '../sqlite/sqlite-store.ts';
import type { Store, Stores } from '../store.ts';
import { electLeader } from './elect-leader.ts';
import { LeaseClaim, type LeaseDocument } from './lease-claim.ts';

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

/** The store as one replica sees it: `before` and `after` run around its commits, and may fail or delay them. */
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

/** A replica that records when its work begins and ends. */
function replica(holder: string, log: string[], through: Store = store, ttlMs = TTL_MS) {
	return electLeader(through, { name: 'stream', holder, ttlMs }, async (signal) => {
		log.push(`${holder} begins`);
		await aborted(signal);
		log.push(`${holder} ends`);
	});
}

describe('electLeader', () => {
	it('lets one replica work at a time, and the next one begin when the lease is given back', async () => {
		const log: string[] = [];
		const one = replica('one', log);
		await waitFor('the first', () => one.leading);
		const two = replica('two', log);
		// Longer than the time to live: it is renewed.
		const { version } = (await store.collection('leases').get('stream'))!;
		await waitFor(
			'some renewals',
			async () => (await store.collection('leases').get('stream'))!.version >= version + 4,
		);
		expect([one.leading, two.leading]).toEqual([true, false]);
		await one.close();
		await waitFor('the second', () => two.leading);
		await two.close();
		expect(log).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
		expect((await store.collection<LeaseDocument>('leases').get('stream'))!.value.holder).toBe('');
	});

	it('ends the work of a replica that cannot renew before another begins, and lets it lead again later', async () => {
		const log: string[] = [];
		let away = false;
		const one = replica('one', log, seenBy({ before: () => (away ? Promise.reject(gone()) : undefined) }));
		await waitFor('the first', () => one.leading);
		const two = replica('two', log);
		away = true;
		await waitFor('the second', () => two.leading);
		expect(one.leading).toBe(false);
		expect(log).toEqual(['one begins', 'one ends', 'two begins']);
		away = false;
		await two.close();
		await waitFor('the first again', () => one.leading);
		await one.close();
	});

	it('keeps its leader through renewals that fail now and then and through answers that get lost', async () => {
		const log: string[] = [];
		let commits = 0;
		const lost = seenBy({ after: () => (++commits % 2 === 0 ? Promise.reject(gone()) : undefined) });
		// A time to live long enough that a busy test machine does not lose the lease.
		const one = replica('one', log, lost, 5 * TTL_MS);
		await waitFor('many renewals', () => commits > 8);
		await one.close();
		expect(log).toEqual(['one begins', 'one ends']);
	});

	it('ends the work before the lease expires when the store does not answer at all', async () => {
		const log: string[] = [];
		const stuck = Promise.withResolvers<void>();
		let hangs = false;
		const one = replica('one', log, seenBy({ before: () => (hangs ? stuck.promise : undefined) }));
		await waitFor('the first', () => one.leading);
		hangs = true;
		await waitFor('its end', () => log.includes('one ends'));
		expect(one.leading).toBe(false);
		stuck.resolve();
		await one.close();
	});

	it('gives the lease back when the work fails, and claims it again', async () => {
		let tries = 0;
		const leadership = electLeader(store, { name: 'stream', holder: 'one', ttlMs: TTL_MS }, async (signal) => {
			if (++tries < 3) throw new Error('the bus is away');
			await aborted(signal);
		});
		await waitFor('the third try', () => tries === 3 && leadership.leading);
		await leadership.close();
		expect(leadership.leading).toBe(false);
	});

	it('never has two leaders at once, whatever their clocks show and whatever fails', async () => {
		const turn = fc.record({
			who: fc.integer({ min: 0, max: 2 }),
			/** Time that passes until the replica acts, then within its attempt before and after the commit. */
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
					const claim = new LeaseClaim(through, { name, token: `r${index}`, ttlMs: 100 });
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
