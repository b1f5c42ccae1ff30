import { describe, expect, it } from 'vitest';
import {
	DEFINITION,
	fulfilled,
	mistake,
	peopleOf,
	refusals,
	reopen,
	unavailable,
	type World,
} from './conformance-world.ts';

/** Guarantees of reporting trouble and of closing. */
export function describeClose(world: World): void {
	describe('when it closes', () => {
		it('reports no trouble while it works, and a reason once it is closed', async () => {
			expect(await world.store.trouble()).toBeUndefined();
			await world.store.close();
			expect(await world.store.trouble()).toEqual(expect.any(String));
			await world.store.close();
		});

		it('keeps what it acknowledged and settles every promise', async () => {
			const people = peopleOf(world);
			const commits = Promise.allSettled(
				Array.from({ length: 50 }, (_, n) => world.store.commit([people.insert(`p${n}`, { age: n })])),
			);
			await world.stores.close();
			const outcomes = await commits;
			for (const refusal of refusals(outcomes)) expect(refusal).toEqual(unavailable);
			await reopen(world);
			const stored = await peopleOf(world).getAll(outcomes.map((_, n) => `p${n}`));
			expect(stored.length).toBeGreaterThanOrEqual(fulfilled(outcomes));
			for (const [n, { status }] of outcomes.entries())
				if (status === 'fulfilled') expect(stored.map(({ id }) => id)).toContain(`p${n}`);
		});

		it('refuses everything afterwards as unavailable', async () => {
			const people = peopleOf(world);
			const { readings } = world.store;
			const of = { buildingId: 'b', roomId: 'r', metric: 'co2' as const };
			const everything = () => [
				people.get('a'),
				people.getAll(['a']),
				people.find({ limit: 1 }),
				world.store.commit([people.put('a', {})]),
				readings.progress('telemetry'),
				readings.latest('telemetry', 'b'),
				readings.samples(of, { from: 0, to: 1 }, 1),
				readings.nextStale(1, 1),
				readings.insert([], { stream: 'telemetry', position: '1' }, { holdMs: 1, after: () => false }),
				readings.forget(0),
			];
			await world.store.close();
			for (const refused of everything()) await expect(refused).rejects.toEqual(unavailable);
			await world.stores.close();
			for (const refused of everything()) await expect(refused).rejects.toEqual(unavailable);
			await expect(world.stores.open('others', DEFINITION)).rejects.toEqual(unavailable);
		});

		it('has readings only if it was opened with them', async () => {
			const plain = await world.stores.open('plain', { collections: {} });
			expect(() => plain.readings).toThrow(mistake);
		});
	});
}
