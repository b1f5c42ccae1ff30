import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { type Position, START } from '../bus.ts';
import { appendLast, inbox, member, numbered, STREAM, type World } from './conformance-world.ts';

/** Guarantees for consumers that were restored to an earlier state, and for their groups. */
export function describeGoBack(world: World): void {
	/** Appends entries and lets a consumer of the group acknowledge them and close. Resolves with their positions. */
	async function taken(count: number, group = 'twin'): Promise<Position[]> {
		const positions = await world.bus.append(STREAM, numbered(count));
		const seen = inbox();
		const subscription = await world.bus.consume(STREAM, group, member(), seen.take);
		await seen.holds(count);
		await subscription.close();
		return positions;
	}

	describe('a group that is ahead of its consumer', () => {
		it('goes back to the position of its consumer, delivers what follows again in order, and goes on', async () => {
			const positions = await taken(10);
			const again = inbox();
			const subscription = await world.bus.consume(
				STREAM,
				'twin',
				member({ batch: 4, from: positions[3]! }),
				again.take,
			);
			await appendLast(world);
			expect(await again.holds(7)).toEqual([...numbered(6, 4), 'last']);
			expect(again.entries.slice(0, 6).map(({ position }) => position)).toEqual(positions.slice(4));
			await subscription.close();
			await world.bus.append(STREAM, ['after']);
			const next = inbox();
			await world.bus.consume(STREAM, 'twin', member(), next.take);
			expect(await next.holds(1)).toEqual(['after']);
		});

		it('goes back to the oldest entry held when its consumer has nothing', async () => {
			await taken(10);
			const again = inbox();
			await world.bus.consume(STREAM, 'twin', member({ from: START }), again.take);
			expect(await again.holds(10)).toEqual(numbered(10));
		});

		it('goes back without moving other groups', async () => {
			const positions = await taken(10);
			const other = inbox();
			const subscription = await world.bus.consume(STREAM, 'notification', member(), other.take);
			await other.holds(10);
			await subscription.close();
			const [again, next] = [inbox(), inbox()];
			await world.bus.consume(STREAM, 'twin', member({ from: positions[0]! }), again.take);
			await again.holds(9);
			await appendLast(world);
			await world.bus.consume(STREAM, 'notification', member(), next.take);
			expect(await next.holds(1)).toEqual(['last']);
		});

		it('delivers what a killed member held in its order, not before earlier entries', async () => {
			const positions = await taken(5);
			await world.bus.append(STREAM, numbered(5, 5));
			expect(await world.harness.killHolding(STREAM, 'twin', 'phoenix')).toEqual(numbered(5, 5));
			world.bus = await world.harness.open();
			const again = inbox();
			await world.bus.consume(STREAM, 'twin', member({ member: 'phoenix', from: positions[1]! }), again.take);
			await appendLast(world);
			expect(await again.holds(9)).toEqual([...numbered(8, 2), 'last']);
		});

		it('delivers what is still held when older entries were dropped', async () => {
			const positions = await world.bus.append(STREAM, numbered(10));
			const [first, again, held] = [inbox(), inbox(), inbox()];
			const subscription = await world.bus.consume(STREAM, 'twin', member(), first.take);
			await first.holds(10);
			await world.harness.dropOldest(STREAM);
			const [last] = await appendLast(world);
			await waitFor('the last', () => first.entries.at(-1)?.position === last);
			await subscription.close();
			await world.bus.consume(STREAM, 'twin', member({ from: positions[0]! }), again.take);
			await world.bus.tail(STREAM, START, held.take);
			for (const { entries } of [again, held]) await waitFor('the last', () => entries.at(-1)?.position === last);
			expect(again.entries[0]!.position).not.toBe(positions[1]);
			expect(again.entries).toEqual(held.entries);
		});
	});

	describe('a group that is not ahead of its consumer', () => {
		it('stays where it is', async () => {
			const positions = await taken(5);
			const next = inbox();
			const subscription = await world.bus.consume(STREAM, 'twin', member({ from: positions[4]! }), next.take);
			await appendLast(world);
			expect(await next.holds(1)).toEqual(['last']);
			await subscription.close();
		});

		it('never moves forward', async () => {
			await taken(5);
			const later = await world.bus.append(STREAM, numbered(5, 5));
			const next = inbox();
			await world.bus.consume(STREAM, 'twin', member({ from: later[3]! }), next.take);
			expect(await next.holds(5)).toEqual(numbered(5, 5));
		});

		it('delivers what a killed member held once', async () => {
			const positions = await taken(5);
			await world.bus.append(STREAM, numbered(5, 5));
			await world.harness.killHolding(STREAM, 'twin', 'phoenix');
			world.bus = await world.harness.open();
			const again = inbox();
			await world.bus.consume(STREAM, 'twin', member({ member: 'phoenix', from: positions[4]! }), again.take);
			await appendLast(world);
			expect(await again.holds(6)).toEqual([...numbered(5, 5), 'last']);
		});
	});

	it('refuses to consume from something that is not a position', async () => {
		await expect(
			world.bus.consume(STREAM, 'twin', member({ from: 'yesterday' }), async () => {}),
		).rejects.toMatchObject({ code: 'bad_request' });
	});
}
