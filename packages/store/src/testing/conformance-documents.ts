import { describe, expect, it } from 'vitest';
import type { Condition } from '../store.ts';
import { DEFINITION, mistake, type Person, peopleOf, reopen, type World } from './conformance-world.ts';

/** Guarantees of reading documents, by id and by index. */
export function describeDocuments(world: World): void {
	const add = (people: Record<string, Person>) =>
		world.store.commit(Object.entries(people).map(([id, value]) => peopleOf(world).insert(id, value)));
	const found = async (where: { [Field in keyof Person]?: Condition }) =>
		(await peopleOf(world).find({ where, limit: 100 })).map(({ id }) => id);

	describe('documents', () => {
		it('are read back as they were written; an unknown id gives undefined', async () => {
			const value = {
				text: 'Zoë 🏛 "quoted" \'single\' \\ \n \u0001',
				nothing: null,
				empty: {},
				none: [],
				nested: { list: [1, -0.5, 1e300, { deep: [] }], '1.OG': true, $set: 'no operator', 'a b': {} },
				large: 'x'.repeat(300_000),
				time: 1_764_000_000_123,
			};
			const notes = world.store.collection<typeof value>('notes');
			await world.store.commit([notes.insert('an id / with # anything ü', value)]);
			expect((await notes.get('an id / with # anything ü'))?.value).toEqual(value);
			expect(await notes.get('another')).toBeUndefined();
			await reopen(world);
			expect((await world.store.collection('notes').get('an id / with # anything ü'))?.value).toEqual(value);
		});

		it('lose undefined fields, as in JSON', async () => {
			await world.store.commit([peopleOf(world).insert('ada', { name: 'Ada', team: undefined } as Person)]);
			const ada = await peopleOf(world).get('ada');
			expect(Object.keys(ada!.value)).toEqual(['name']);
		});

		it('are read by several ids in the order of the ids, without the missing ones', async () => {
			await add({ c: { age: 1 }, a: { age: 2 }, B: { age: 3 }, ä: { age: 4 } });
			expect(
				(await peopleOf(world).getAll(['ä', 'c', 'nobody', 'a', 'B', 'a'])).map(({ id, value }) => [id, value.age]),
			).toEqual([
				['B', 3],
				['a', 2],
				['c', 1],
				['ä', 4],
			]);
			expect(await peopleOf(world).getAll([])).toEqual([]);
		});

		it('are separate for each collection and store', async () => {
			await add({ ada: { name: 'Ada' } });
			expect(await world.store.collection('notes').get('ada')).toBeUndefined();
			const other = await world.stores.open('others', DEFINITION);
			expect(await other.collection('people').get('ada')).toBeUndefined();
		});

		it('are found by equality, by one of several values and by range, never without the field', async () => {
			await add({
				a: { team: 'red', age: 30, active: true },
				b: { team: 'red', age: 40, active: false },
				c: { team: 'blue', age: 50 },
				d: { team: 'blue' },
				e: { age: 40 },
			});
			expect(await found({ team: 'red' })).toEqual(['a', 'b']);
			expect(await found({ team: { in: ['blue', 'green'] } })).toEqual(['c', 'd']);
			expect(await found({ team: { in: [] } })).toEqual([]);
			expect(await found({ age: { gt: 30, lte: 40 } })).toEqual(['b', 'e']);
			expect(await found({ age: { gte: 30, lt: 40 } })).toEqual(['a']);
			expect(await found({ team: 'blue', age: { lt: 1000 } })).toEqual(['c']);
			expect(await found({ team: { gte: 'p' } })).toEqual(['a', 'b']);
			expect(await found({ active: true })).toEqual(['a']);
			expect(await found({ active: { in: [true, false] } })).toEqual(['a', 'b']);
			expect(await found({ age: 40.5 })).toEqual([]);
		});

		it('are ordered by a field in either direction, then by id, up to the limit', async () => {
			await add({ a: { age: 3 }, b: { age: 1 }, c: { age: 2 }, d: { age: 2 }, e: { age: 10 } });
			const ids = async (descending: boolean, limit: number) =>
				(await peopleOf(world).find({ order: { by: 'age', descending }, limit })).map(({ id }) => id);
			expect(await ids(false, 10)).toEqual(['b', 'c', 'd', 'a', 'e']);
			expect(await ids(true, 10)).toEqual(['e', 'a', 'd', 'c', 'b']);
			expect(await ids(true, 2)).toEqual(['e', 'a']);
			expect((await peopleOf(world).find({ limit: 2 })).map(({ id }) => id)).toEqual(['a', 'b']);
			const texts = await peopleOf(world).find({ where: { age: { gte: 2 } }, order: { by: 'age' }, limit: 3 });
			expect(texts.map(({ id }) => id)).toEqual(['c', 'd', 'a']);
		});

		it('are not searched by a field without an index or by an invalid condition', async () => {
			const people = peopleOf(world);
			await add({ a: { name: 'Ada' } });
			await expect(people.find({ where: { name: 'Ada' }, limit: 1 })).rejects.toEqual(mistake);
			await expect(people.find({ order: { by: 'name' }, limit: 1 })).rejects.toEqual(mistake);
			await expect(people.find({ where: { team: undefined } as never, limit: 1 })).rejects.toEqual(mistake);
			await expect(people.find({ where: { team: {} }, limit: 1 })).rejects.toEqual(mistake);
			await expect(people.find({ where: { team: { ne: 'red' } } as never, limit: 1 })).rejects.toEqual(mistake);
			await expect(people.find({ limit: 0 })).rejects.toEqual(mistake);
			expect(() => world.store.collection('nothing')).toThrow(mistake);
		});

		it('are indexed as defined at opening, which creates and drops indexes over existing documents', async () => {
			await add({ a: { name: 'Ada', email: 'ada' }, b: { name: 'Bob', email: 'bob' } });
			const byName = { collections: { people: { indexes: { name: { fields: ['name'], unique: true } } } } };
			await reopen(world, byName);
			expect(await found({ name: 'Bob' })).toEqual(['b']);
			await expect(found({ email: 'bob' })).rejects.toEqual(mistake);
			await add({ c: { name: 'Cleo', email: 'bob' } });
			await expect(add({ d: { name: 'Cleo' } })).rejects.toMatchObject({
				code: 'conflict',
				details: { path: '/name' },
			});
			// Two documents have the same address by now: opening fails, and nothing is lost.
			await world.stores.close();
			world.stores = await world.harness.open();
			await expect(world.stores.open('things', DEFINITION)).rejects.toThrow();
			await reopen(world, byName);
			expect(await found({ name: { in: ['Ada', 'Bob', 'Cleo'] } })).toEqual(['a', 'b', 'c']);
		});

		it('belong to a store that can be open once at a time', async () => {
			await expect(world.stores.open('things', DEFINITION)).rejects.toEqual(mistake);
			await world.store.close();
			world.store = await world.stores.open('things', DEFINITION);
			await add({ a: { name: 'Ada' } });
		});
	});
}
