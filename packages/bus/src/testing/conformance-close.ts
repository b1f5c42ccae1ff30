import { waitFor, within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { appendLast, dataOf, inbox, member, numbered, STREAM, unavailable, type World } from './conformance-world.ts';

/** Guarantees of closing a bus. */
export function describeClose(world: World): void {
	describe('close', () => {
		it('waits for running handlers and acknowledges their entries, then settles every promise', async () => {
			const given = Promise.withResolvers<void>();
			const finish = Promise.withResolvers<void>();
			let returned = false;
			const consumer = await world.bus.consume(STREAM, 'twin', member(), async () => {
				given.resolve();
				await finish.promise;
				returned = true;
			});
			const others = [
				await world.bus.tail(STREAM, 'end', () => undefined),
				await world.bus.listen('notifications', () => undefined),
				await world.bus.watch('registry:sensors', () => undefined),
			];
			await world.bus.append(STREAM, ['in hand']);
			await given.promise;
			const appends = numbered(20).map((entry) => world.bus.append(STREAM, [entry]));
			const closed = world.bus.close().then(() => expect(returned).toBe(true));
			finish.resolve();
			await within('the close', closed);
			await within('a second close', world.bus.close());
			await within('closing what is closed', Promise.all([consumer, ...others].map((one) => one.close())));
			await within('every append', Promise.allSettled(appends));
			await expect(world.bus.append(STREAM, ['too late'])).rejects.toEqual(unavailable);
			await expect(world.bus.consume(STREAM, 'twin', member(), async () => undefined)).rejects.toEqual(unavailable);
			expect(await world.bus.trouble()).toEqual(expect.any(String));

			await world.harness.restart();
			world.bus = await world.harness.open();
			const next = inbox();
			await world.bus.consume(STREAM, 'twin', member({ member: 'b', claimAfterMs: 300 }), next.take);
			await waitFor('the backend', async () => (await world.bus.trouble()) === undefined);
			await appendLast(world);
			await waitFor('the last entry', () => next.entries.at(-1)?.data === 'last');
			expect(dataOf(next.entries)).not.toContain('in hand');
		});
	});
}
