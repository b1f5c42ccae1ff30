import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { START } from '../bus.ts';
import { dataOf, inbox, member, numbered, STREAM, type World } from './conformance-world.ts';

/** Guarantees of groups and their members while nothing fails. */
export function describeConsume(world: World): void {
	describe('append and consume', () => {
		it('delivers every entry once to every group, in the order of the positions', async () => {
			const [twin, notification] = [inbox(), inbox()];
			const before = await world.bus.append(STREAM, numbered(100));
			await world.bus.consume(STREAM, 'twin', member({ batch: 7 }), twin.take);
			await world.bus.consume(STREAM, 'notification', member(), notification.take);
			const after = (
				await Promise.all([...numbered(100, 100)].map((entry) => world.bus.append(STREAM, [entry])))
			).flat();
			expect(await twin.holds(200)).toEqual(numbered(200));
			expect(await notification.holds(200)).toEqual(numbered(200));
			expect(twin.entries.map(({ position }) => position)).toEqual([...before, ...after]);
			for (const [index, position] of [...before, ...after].entries()) {
				expect(world.bus.compare(index === 0 ? START : twin.entries[index - 1]!.position, position)).toBeLessThan(0);
				expect(world.bus.compare(position, position)).toBe(0);
			}
		});

		it('keeps streams apart, and accepts an empty append', async () => {
			const commands = inbox();
			await world.bus.consume('commands', 'gateway', member(), commands.take);
			expect(await world.bus.append('commands', [])).toEqual([]);
			await world.bus.append('command-results', ['a result']);
			await world.bus.append('commands', ['a command']);
			expect(await commands.holds(1)).toEqual(['a command']);
		});

		it('begins a new group at the oldest entry held', async () => {
			await world.bus.append(STREAM, numbered(3));
			const [early, late] = [inbox(), inbox()];
			await world.bus.consume(STREAM, 'early', member(), early.take);
			await early.holds(3);
			await world.bus.consume(STREAM, 'late', member(), late.take);
			expect(await late.holds(3)).toEqual(numbered(3));
		});

		it('goes on where a group stopped when its only member comes back', async () => {
			const [first, second] = [inbox(), inbox()];
			const subscription = await world.bus.consume(STREAM, 'twin', member(), first.take);
			await world.bus.append(STREAM, numbered(5));
			await first.holds(5);
			await subscription.close();
			await world.bus.append(STREAM, ['while nobody listened']);
			await world.bus.consume(STREAM, 'twin', member({ member: 'b' }), second.take);
			expect(await second.holds(1)).toEqual(['while nobody listened']);
		});

		it('delivers each entry to one of two members, and gives both a share', async () => {
			const other = await world.harness.open();
			const [one, two] = [inbox(), inbox()];
			// The first member holds its first batch until the second has some entries, so neither can take everything.
			const secondHasSome = Promise.withResolvers<void>();
			await world.bus.consume(STREAM, 'twin', member({ batch: 5, claimAfterMs: 20_000 }), async (entries) => {
				await secondHasSome.promise;
				await one.take(entries);
			});
			await other.consume(STREAM, 'twin', member({ member: 'b', batch: 5, claimAfterMs: 20_000 }), async (entries) => {
				await two.take(entries);
				if (one.entries.length === 0) secondHasSome.resolve();
			});
			for (const entry of numbered(100)) await world.bus.append(STREAM, [entry]);
			await waitFor('all entries', () => one.entries.length + two.entries.length >= 100);
			expect(dataOf([...one.entries, ...two.entries]).sort()).toEqual(numbered(100).sort());
			expect(one.entries.length).toBeGreaterThan(0);
			expect(two.entries.length).toBeGreaterThan(0);
		});
	});
}
