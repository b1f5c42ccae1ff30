import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { type BusEntry, type Position, START, type TailGap } from '../bus.ts';
import { appendLast, dataOf, inbox, numbered, restart, STREAM, type World } from './conformance-world.ts';

/** Guarantees of following a stream from a position. */
export function describeTail(world: World): void {
	describe('a tail', () => {
		it('gets exactly what follows a position, across a restart', async () => {
			const positions = await world.bus.append(STREAM, numbered(10));
			const first = inbox();
			const tail = await world.bus.tail(STREAM, positions[3]!, first.take);
			await first.holds(6);
			await world.bus.append(STREAM, numbered(2, 10));
			expect(await first.holds(8)).toEqual(numbered(8, 4));
			await tail.close();
			const from = first.entries.at(-1)!.position;
			await restart(world);
			await world.bus.append(STREAM, numbered(3, 12));
			const second = inbox();
			await world.bus.tail(STREAM, from, second.take);
			await world.bus.append(STREAM, numbered(1, 15));
			expect(await second.holds(4)).toEqual(numbered(4, 12));
		});

		it('gets everything from START, and only new entries from the present position and from the end', async () => {
			expect(await world.bus.position(STREAM)).toBe(START);
			const [fromEmpty, fromStart, fromNow, fromEnd] = [inbox(), inbox(), inbox(), inbox()];
			await world.bus.tail(STREAM, await world.bus.position(STREAM), fromEmpty.take);
			const positions = await world.bus.append(STREAM, numbered(3));
			expect(await world.bus.position(STREAM)).toBe(positions[2]);
			await world.bus.tail(STREAM, START, fromStart.take);
			await world.bus.tail(STREAM, await world.bus.position(STREAM), fromNow.take);
			await world.bus.tail(STREAM, 'end', fromEnd.take);
			await appendLast(world);
			expect(await fromEmpty.holds(4)).toEqual([...numbered(3), 'last']);
			expect(await fromStart.holds(4)).toEqual([...numbered(3), 'last']);
			expect(await fromNow.holds(1)).toEqual(['last']);
			expect(await fromEnd.holds(1)).toEqual(['last']);
		});

		it('gets one gap when its position is no longer held, before the entries that are held', async () => {
			const positions = await world.bus.append(STREAM, numbered(11));
			await world.harness.dropOldest(STREAM);
			const received: (TailGap | BusEntry)[] = [];
			await world.bus.tail(
				STREAM,
				positions[0]!,
				(entries) => void received.push(...entries),
				(gap) => void received.push(gap),
			);
			await appendLast(world);
			await waitFor('the last entry', () => received.some((one) => 'data' in one && one.data === 'last'));
			const [gap, ...rest] = received;
			expect(gap).toEqual({ from: positions[0], to: expect.any(String) });
			expect(rest.every((one) => 'data' in one)).toBe(true);
			expect(world.bus.compare((gap as TailGap).to, (rest[0] as BusEntry).position)).toBeLessThan(0);
		});

		it('gets no gap from START, nor from a position that is held', async () => {
			await world.bus.append(STREAM, numbered(11));
			await world.harness.dropOldest(STREAM);
			const gaps: TailGap[] = [];
			const everything = inbox();
			await world.bus.tail(STREAM, START, everything.take, (gap) => void gaps.push(gap));
			await waitFor('what is held', () => everything.entries.length > 1);
			const held = inbox();
			await world.bus.tail(STREAM, everything.entries[0]!.position, held.take, (gap) => void gaps.push(gap));
			await appendLast(world);
			await waitFor('the last entry', () => held.entries.at(-1)?.data === 'last');
			expect(dataOf(held.entries)).toEqual(dataOf(everything.entries).slice(1));
			expect(gaps).toEqual([]);
		});

		it('goes on after its handler threw an error', async () => {
			const seen: string[] = [];
			await world.bus.tail(STREAM, START, (entries) => {
				seen.push(...dataOf(entries));
				throw new Error('a bad day');
			});
			await world.bus.append(STREAM, ['one']);
			await waitFor('the first', () => seen.length === 1);
			await world.bus.append(STREAM, ['two']);
			await waitFor('the second', () => seen.length === 2);
			expect(seen).toEqual(['one', 'two']);
		});

		it('refuses something that is not a position', async () => {
			for (const position of ['', 'x', '-1', '1-', '1.5', `${'9'.repeat(21)}`, '0x10'] as Position[]) {
				await expect(world.bus.tail(STREAM, position, () => undefined)).rejects.toEqual(
					expect.objectContaining({ code: 'bad_request' }),
				);
			}
		});
	});
}
