/** The part of the bus conformance suite about a backend that fails. */
import { waitFor, within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { START } from '../bus.ts';
import {
	appendLast,
	dataOf,
	inbox,
	member,
	numbered,
	restart,
	STREAM,
	unavailable,
	type World,
} from './conformance-world.ts';

/** Guarantees when the backend restarts or refuses writes. */
export function describeTrouble(world: World): void {
	describe('when its backend fails', () => {
		it('loses nothing it accepted through a restart, and its consumers and tails go on', async () => {
			const taken: string[] = [];
			const consumed = inbox();
			const tailed = inbox();
			let appending = true;
			const follow = async () => {
				await world.bus.consume(STREAM, 'twin', member({ claimAfterMs: 500 }), consumed.take);
				await world.bus.tail(STREAM, tailed.entries.at(-1)?.position ?? START, tailed.take);
			};
			await follow();
			const appender = (async () => {
				for (let number = 0; appending; number++) {
					const entries = [`${number} a`, `${number} b`];
					const ok = await world.bus.append(STREAM, entries).then(
						() => true,
						(error) => {
							expect(error).toEqual(unavailable);
							return false;
						},
					);
					if (ok) taken.push(...entries);
					else await new Promise((resolve) => setTimeout(resolve, 10));
				}
			})();
			await waitFor('the first appends', () => taken.length >= 100);
			await restart(world);
			if (!world.harness.reconnects) await follow();
			const before = taken.length;
			await waitFor('appends after the restart', () => taken.length >= before + 100);
			appending = false;
			await within('the last append', appender);
			await appendLast(world);
			await waitFor('the consumer to catch up', () => consumed.entries.some(({ data }) => data === 'last'));
			await waitFor('the tail to catch up', () => tailed.entries.some(({ data }) => data === 'last'));
			expect(new Set(dataOf(consumed.entries)).isSupersetOf(new Set(taken))).toBe(true);
			expect(new Set(dataOf(tailed.entries)).isSupersetOf(new Set(taken))).toBe(true);
			for (const [index, { position }] of tailed.entries.entries()) {
				if (index > 0) expect(world.bus.compare(tailed.entries[index - 1]!.position, position)).toBeLessThan(0);
			}
		});

		it('rejects a refused append as unavailable with the reason, stores none of it, and goes on later', async () => {
			const [consumed, tailed] = [inbox(), inbox()];
			await world.bus.consume(STREAM, 'twin', member(), consumed.take);
			await world.bus.tail(STREAM, START, tailed.take);
			await world.bus.append(STREAM, ['before']);
			await consumed.holds(1);
			const position = await world.bus.position(STREAM);
			await world.harness.refuseWrites();
			const refused = world.bus.append(STREAM, numbered(50));
			await expect(refused).rejects.toEqual(unavailable);
			await expect(refused).rejects.toThrow(/memory|space|full/);
			expect(await world.bus.position(STREAM)).toBe(position);
			await world.harness.acceptWrites();
			await world.bus.append(STREAM, ['after']);
			expect(await consumed.holds(2)).toEqual(['before', 'after']);
			expect(await tailed.holds(2)).toEqual(['before', 'after']);
		});

		it('reports no trouble when all is well', async () => {
			expect(await world.bus.trouble()).toBeUndefined();
		});
	});
}
