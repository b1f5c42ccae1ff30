import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { type BusEntry, type Position, START, type TailGap } from '../bus.ts';
import { appendLast, dataOf, inbox, numbered, restart, STREAM, type World } from './conformance-world.ts';

/** Following a stream from a position. */
export function describeTail(world: World): void {
	describe('tail', () => {
		it('sees exactly what follows a position, across a restart', async () => {
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

		it('sees everything from START, and only what is new from the position of now and from the end', async () => {
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

		it('is told what it missed when its position is no longer held, once, before what is held', async () => {
			const positions = await world.bus.append(STREAM, numbered(11));
			await world.harness.giveUpOldest(STREAM);
			const told: (TailGap | BusEntry)[] = [];
			await world.bus.tail(
				STREAM,
				positions[0]!,
				(entries) => void told.push(...entries),
				(gap) => void told.push(gap),
			);
			await appendLast(world);
			await waitFor('the last entry', () => told.some((one) => 'data' in one && one.data === 'last'));
			const [gap, ...rest] = told;
			expect(gap).toEqual({ from: positions[0], to: expect.any(String) });
			expect(rest.every((one) => 'data' in one)).toBe(true);
			expect(world.bus.compare((gap as TailGap).to, (rest[0] as BusEntry).position)).toBeLessThan(0);
		});

		it('is told of no gap from START, nor from a position that is held', async () => {
			await world.bus.append(STREAM, numbered(11));
			await world.harness.giveUpOldest(STREAM);
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

		it('goes on after its handler failed', async () => {
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

		it('refuses what is no position', async () => {
			for (const position of ['', 'x', '-1', '1-', '1.5', `${'9'.repeat(21)}`, '0x10'] as Position[]) {
				await expect(world.bus.tail(STREAM, position, () => undefined)).rejects.toEqual(
					expect.objectContaining({ code: 'bad_request' }),
				);
			}
		});
	});
}
