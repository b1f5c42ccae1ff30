/** The part of the store conformance suite that compares with a plain map. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Versioned, Write } from '../store.ts';
import { conflict, type Person, peopleOf, type World } from './conformance-world.ts';

const RUNS = 25;
const IDS = ['a', 'b', 'c', 'd'];

const person = fc.record(
	{
		age: fc.integer({ min: 0, max: 4 }),
		email: fc.constantFrom('x', 'y'),
		badge: fc.constantFrom('1', '2'),
		active: fc.boolean(),
	},
	{ requiredKeys: ['age'] },
);
const step = fc.record({
	op: fc.constantFrom('insert', 'replace', 'put', 'remove', 'removeRead'),
	id: fc.constantFrom(...IDS),
	value: person,
	/** Uses a document as it was read some time before, not the latest. */
	outdated: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A document in the model; `stamp` changes with every write. */
interface Modelled {
	value: Person;
	stamp: number;
}

/** The outcome of the same steps on a plain map; undefined where they are refused. */
function apply(
	model: ReadonlyMap<string, Modelled>,
	steps: readonly { step: Step; stamp: number | undefined }[],
	next: () => number,
) {
	const changed = new Map(model);
	for (const { step, stamp } of steps) {
		const { op, id, value } = step;
		const there = changed.get(id);
		if (op === 'insert' && there) return undefined;
		if ((op === 'replace' || op === 'removeRead') && there?.stamp !== stamp) return undefined;
		if (op === 'remove' || op === 'removeRead') {
			changed.delete(id);
			continue;
		}
		const others = [...changed].filter(([other]) => other !== id).map(([, modelled]) => modelled.value);
		if (value.email !== undefined && others.some(({ email }) => email === value.email)) return undefined;
		const isActive = (one: Person) => one.active === true && one.badge !== undefined && one.badge === value.badge;
		if (isActive(value) && others.some(isActive)) return undefined;
		changed.set(id, { value, stamp: next() });
	}
	return changed;
}

/** Guarantee: after any commits the store holds what a plain map would hold. */
export function describeModel(world: World): void {
	describe('random commits', () => {
		it('have the effect that they would have on a map, and are refused where the map refuses a step', async () => {
			await fc.assert(
				fc.asyncProperty(
					fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
					async (commits) => {
						const people = peopleOf(world);
						await world.store.commit(IDS.map((id) => people.remove(id)));
						let model: ReadonlyMap<string, Modelled> = new Map();
						let stamps = 0;
						const seen = new Map<string, { document: Pick<Versioned<Person>, 'id' | 'version'>; stamp: number }[]>(
							IDS.map((id) => [id, []]),
						);
						for (const steps of commits) {
							const writes: Write[] = [];
							const modelled: Parameters<typeof apply>[1][number][] = [];
							for (const one of steps) {
								const history = seen.get(one.id)!;
								const read = one.outdated ? history[0] : history.at(-1);
								const document = read?.document ?? { id: one.id, version: 0 };
								modelled.push({ step: one, stamp: read?.stamp ?? -1 });
								if (one.op === 'insert' || one.op === 'put') writes.push(people[one.op](one.id, one.value));
								else if (one.op === 'replace') writes.push(people.replace(document, one.value));
								else writes.push(people.remove(one.op === 'remove' ? one.id : document));
							}
							const after = apply(model, modelled, () => ++stamps);
							if (after) await world.store.commit(writes);
							else await expect(world.store.commit(writes)).rejects.toEqual(conflict);
							model = after ?? model;
							const stored = await people.getAll(IDS);
							expect(Object.fromEntries(stored.map(({ id, value }) => [id, value]))).toEqual(
								Object.fromEntries([...model].map(([id, { value }]) => [id, value])),
							);
							for (const one of stored) seen.get(one.id)!.push({ document: one, stamp: model.get(one.id)!.stamp });
							const found = await people.find({
								where: { age: { gte: 1 } },
								order: { by: 'age', descending: true },
								limit: 3,
							});
							const wanted = [...model]
								.filter(([, { value }]) => value.age! >= 1)
								.sort(([idA, a], [idB, b]) => b.value.age! - a.value.age! || (idA < idB ? 1 : -1))
								.slice(0, 3);
							expect(found.map(({ id }) => id)).toEqual(wanted.map(([id]) => id));
						}
					},
				),
				{ numRuns: RUNS },
			);
		});
	});
}
