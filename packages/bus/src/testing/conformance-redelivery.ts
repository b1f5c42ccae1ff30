import { CrowdVisionError } from '@crowdvision/contracts';
import { within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import type { BusEntry } from '../bus.ts';
import { appendLast, dataOf, inbox, member, numbered, restart, STREAM, type World } from './conformance-world.ts';

/** Guarantees for entries that were not acknowledged. */
export function describeRedelivery(world: World): void {
	describe('delivery at least once', () => {
		it('gives another member the entries of a consumer that was killed before it acknowledged them', async () => {
			await world.bus.append(STREAM, numbered(5));
			expect(await world.harness.killHolding(STREAM, 'twin', 'doomed')).toEqual(numbered(5));
			world.bus = await world.harness.open();
			const heir = inbox();
			await world.bus.consume(STREAM, 'twin', member({ member: 'heir', claimAfterMs: 300 }), heir.take);
			expect(await heir.holds(5)).toEqual(numbered(5));
		});

		it('gives a member what it held when it was killed as soon as it is back', async () => {
			await world.bus.append(STREAM, numbered(5));
			await world.harness.killHolding(STREAM, 'twin', 'phoenix');
			world.bus = await world.harness.open();
			await world.bus.append(STREAM, numbered(2, 5));
			const again = inbox();
			await world.bus.consume(STREAM, 'twin', member({ member: 'phoenix', claimAfterMs: 600_000 }), again.take);
			expect(await again.holds(7)).toEqual(numbered(7));
		});

		it('delivers a failed batch again, and acknowledges it then', async () => {
			const done = inbox();
			const failedWith: string[][] = [];
			const handle = async (entries: BusEntry[]) => {
				if (failedWith.length === 0) {
					failedWith.push(dataOf(entries));
					throw new Error('not this time');
				}
				await done.take(entries);
			};
			await world.bus.append(STREAM, numbered(4));
			const subscription = await world.bus.consume(STREAM, 'twin', member(), handle);
			expect(await done.holds(4)).toEqual(numbered(4));
			expect(failedWith).toEqual([numbered(4)]);
			await subscription.close();
			await appendLast(world);
			const next = inbox();
			await world.bus.consume(STREAM, 'twin', member(), next.take);
			expect(await next.holds(1)).toEqual(['last']);
			expect(await world.bus.deadLetters(STREAM)).toEqual([]);
		});

		it('sets aside an entry that fails too often, with the reason, and goes on with the rest', async () => {
			const done = inbox();
			const positions = await world.bus.append(STREAM, ['good 1', 'poison', 'good 2']);
			const begin = Date.now();
			const subscription = await world.bus.consume(STREAM, 'twin', member({ maxAttempts: 3 }), async (entries) => {
				if (entries.some(({ data }) => data === 'poison')) throw new Error('cannot be read');
				await done.take(entries);
			});
			await appendLast(world);
			expect(await done.holds(3)).toEqual(['good 1', 'good 2', 'last']);
			const letters = await world.bus.deadLetters(STREAM);
			expect(letters).toEqual([
				{
					position: positions[1],
					data: 'poison',
					group: 'twin',
					reason: 'cannot be read',
					attempts: 3,
					at: expect.any(Number),
				},
			]);
			expect(letters[0]!.at).toBeGreaterThanOrEqual(begin);
			await subscription.close();
			await world.bus.append(STREAM, ['after']);
			const next = inbox();
			await world.bus.consume(STREAM, 'twin', member(), next.take);
			expect(await next.holds(1)).toEqual(['after']);
		});

		it('keeps dead letters across a restart, and lists them newest first', async () => {
			const seen = inbox();
			await world.bus.append(STREAM, ['poison 1', 'poison 2', 'good']);
			await world.bus.consume(STREAM, 'twin', member({ maxAttempts: 1 }), async (entries) => {
				if (entries.some(({ data }) => data.startsWith('poison'))) throw new Error('cannot be read');
				await seen.take(entries);
			});
			await seen.holds(1);
			await restart(world);
			expect((await world.bus.deadLetters(STREAM)).map(({ data }) => data)).toEqual(['poison 2', 'poison 1']);
			expect((await world.bus.deadLetters(STREAM, 1)).map(({ data }) => data)).toEqual(['poison 2']);
			expect(await world.bus.deadLetters('command-results')).toEqual([]);
		});

		it('sets nothing aside while a handler rejects as unavailable', async () => {
			const done = inbox();
			let away = 3;
			await world.bus.append(STREAM, numbered(2));
			await world.bus.consume(STREAM, 'twin', member({ maxAttempts: 1 }), async (entries) => {
				if (away-- > 0) throw new CrowdVisionError('unavailable', 'the store is away');
				await done.take(entries);
			});
			expect(await done.holds(2)).toEqual(numbered(2));
			expect(await world.bus.deadLetters(STREAM)).toEqual([]);
		});

		it('gives what a member had not acknowledged when it closed to the other members', async () => {
			const given = Promise.withResolvers<void>();
			const finish = Promise.withResolvers<void>();
			const leaving = await world.bus.consume(STREAM, 'twin', member({ claimAfterMs: 2000 }), async () => {
				given.resolve();
				await finish.promise;
				throw new Error('interrupted');
			});
			await world.bus.append(STREAM, numbered(3));
			await given.promise;
			const heir = inbox();
			const other = await world.harness.open();
			await other.consume(STREAM, 'twin', member({ member: 'b', claimAfterMs: 2000 }), heir.take);
			const closed = leaving.close();
			finish.resolve();
			await within('the close', closed);
			expect(await heir.holds(3)).toEqual(numbered(3));
		});
	});
}
