import { describe, expect, it } from 'vitest';
import { START } from '../bus.ts';
import { inbox, restart, STREAM, type World } from './conformance-world.ts';

/** Guarantees of appendOnce: several may try and retry, and the entry is stored once. */
export function describeAppendOnce(world: World): void {
	describe('appendOnce', () => {
		it('stores one entry per key, however many callers try at once', async () => {
			const tries = ['a', 'b', 'c', 'd'].map((who) => world.bus.appendOnce(STREAM, 'key', `of ${who}`));
			const taken = await Promise.all(tries);
			expect(taken.filter(Boolean)).toHaveLength(1);
			expect(await world.bus.appendOnce(STREAM, 'key', 'late')).toBe(false);
			expect(await world.bus.appendOnce(STREAM, 'another key', 'the last')).toBe(true);
			const seen = inbox();
			await world.bus.tail(STREAM, START, seen.take);
			expect(await seen.holds(2)).toEqual([`of ${'abcd'[taken.indexOf(true)]}`, 'the last']);
		});

		it('remembers its keys across a restart, apart from entries appended without a key', async () => {
			await world.bus.append(STREAM, ['plain']);
			expect(await world.bus.appendOnce(STREAM, 'key', 'one')).toBe(true);
			await restart(world);
			expect(await world.bus.appendOnce(STREAM, 'key', 'again')).toBe(false);
			await world.bus.append(STREAM, ['plain']);
			const seen = inbox();
			await world.bus.tail(STREAM, START, seen.take);
			expect(await seen.holds(3)).toEqual(['plain', 'one', 'plain']);
		});
	});
}
