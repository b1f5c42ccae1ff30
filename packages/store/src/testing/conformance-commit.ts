import { describe, expect, it } from 'vitest';
import { conflict, fulfilled, type Person, peopleOf, refusals, reopen, type World } from './conformance-world.ts';

/** Guarantees of commits: all or none, and no lost update. */
export function describeCommit(world: World): void {
	describe('a commit', () => {
		it('gives a document a new version with every write, and never repeats one after a removal', async () => {
			const people = peopleOf(world);
			const versions: number[] = [];
			const see = async () => void versions.push((await people.get('ada'))!.version);
			await world.store.commit([people.insert('ada', { age: 1 })]);
			await see();
			const first = (await people.get('ada'))!;
			await world.store.commit([people.replace(first, { age: 2 })]);
			await see();
			await world.store.commit([people.put('ada', { age: 3 })]);
			await see();
			expect(versions).toEqual([...versions].sort((a, b) => a - b));
			await world.store.commit([people.remove('ada')]);
			await world.store.commit([people.insert('ada', { age: 4 })]);
			await see();
			expect(new Set(versions).size).toBe(4);
			await expect(world.store.commit([people.replace(first, { age: 5 })])).rejects.toEqual(conflict);
			await expect(world.store.commit([people.remove(first)])).rejects.toEqual(conflict);
			expect((await people.get('ada'))!.value).toEqual({ age: 4 });
		});

		it('is refused when the document was changed or removed since it was read', async () => {
			const people = peopleOf(world);
			await world.store.commit([people.insert('ada', { age: 1 }), people.insert('bob', { age: 1 })]);
			const [ada, bob] = await people.getAll(['ada', 'bob']);
			await world.store.commit([people.replace(ada!, { age: 2 }), people.remove(bob!)]);
			for (const write of [
				people.replace(ada!, { age: 3 }),
				people.remove(ada!),
				people.replace(bob!, {}),
				people.remove(bob!),
			]) {
				await expect(world.store.commit([write])).rejects.toEqual(conflict);
			}
			expect(await people.get('ada')).toMatchObject({ value: { age: 2 } });
			await world.store.commit([people.remove('bob'), people.remove('ada')]);
			expect(await people.getAll(['ada', 'bob'])).toEqual([]);
		});

		it('applies all of its writes or none, in their order, across collections', async () => {
			const people = peopleOf(world);
			const notes = world.store.collection<{ n: number }>('notes');
			await world.store.commit([
				people.insert('ada', { email: 'a' }),
				people.insert('bob', { email: 'b' }),
				notes.insert('count', { n: 2 }),
			]);
			const [ada, bob] = await people.getAll(['ada', 'bob']);
			await expect(
				world.store.commit([
					notes.put('count', { n: 3 }),
					people.remove('bob'),
					people.insert('cleo', { email: 'c' }),
					people.insert('ada', {}),
				]),
			).rejects.toEqual(conflict);
			await expect(
				world.store.commit([
					notes.put('other', { n: 1 }),
					people.replace({ id: 'ada', version: ada!.version + 1000 }, {}),
				]),
			).rejects.toEqual(conflict);
			expect(await people.getAll(['ada', 'bob', 'cleo'])).toEqual([ada, bob]);
			expect(await notes.getAll(['count', 'other'])).toMatchObject([{ id: 'count', value: { n: 2 } }]);
			// The address is released before it is taken.
			await world.store.commit([
				people.remove(bob!),
				people.replace(ada!, { email: 'b' }),
				people.insert('dan', { email: 'a' }),
			]);
			expect((await people.find({ where: { email: { in: ['a', 'b'] } }, limit: 9 })).map(({ id }) => id)).toEqual([
				'ada',
				'dan',
			]);
			await world.store.commit([]);
			await reopen(world);
			expect((await peopleOf(world).getAll(['ada', 'bob', 'dan'])).map(({ id, value }) => [id, value.email])).toEqual([
				['ada', 'b'],
				['dan', 'a'],
			]);
		});

		it('names the field of a violated unique index, and nothing else', async () => {
			const people = peopleOf(world);
			await world.store.commit([people.insert('ada', { email: 'secret@example.org' }), people.insert('bob', {})]);
			const bob = (await people.get('bob'))!;
			for (const write of [
				people.insert('eve', { email: 'secret@example.org' }),
				people.replace(bob, { email: 'secret@example.org' }),
				people.put('bob', { email: 'secret@example.org' }),
			]) {
				const [refusal] = refusals(await Promise.allSettled([world.store.commit([write])]));
				expect(refusal).toMatchObject({ code: 'conflict', details: { path: '/email' } });
				expect(String((refusal as Error).message)).not.toContain('secret');
			}
			const [taken] = refusals(await Promise.allSettled([world.store.commit([people.insert('ada', {})])]));
			expect(taken).toEqual(conflict);
			expect(taken).not.toHaveProperty('details.path');
		});

		it('applies a unique index only to documents that have the field and match its condition', async () => {
			const people = peopleOf(world);
			await world.store.commit([
				people.insert('a', {}),
				people.insert('b', {}),
				people.insert('c', { badge: '7', active: false }),
			]);
			await world.store.commit([people.insert('d', { badge: '7', active: true }), people.insert('e', { badge: '7' })]);
			const c = (await people.get('c'))!;
			await expect(world.store.commit([people.replace(c, { badge: '7', active: true })])).rejects.toMatchObject({
				code: 'conflict',
				details: { path: '/badge' },
			});
			expect((await people.find({ where: { badge: '7', active: true }, limit: 9 })).map(({ id }) => id)).toEqual(['d']);
		});

		it('lets exactly one of fifty concurrent inserts take a unique value', async () => {
			const people = peopleOf(world);
			const all = await Promise.allSettled(
				Array.from({ length: 50 }, (_, n) => world.store.commit([people.insert(`p${n}`, { email: 'one' })])),
			);
			expect(fulfilled(all)).toBe(1);
			for (const refusal of refusals(all))
				expect(refusal).toMatchObject({ code: 'conflict', details: { path: '/email' } });
			expect(await people.find({ where: { email: 'one' }, limit: 99 })).toHaveLength(1);
		});

		it('lets exactly one of many concurrent inserts take an id, and exactly one of many replaces win', async () => {
			const people = peopleOf(world);
			const inserts = await Promise.allSettled(
				Array.from({ length: 20 }, (_, age) => world.store.commit([people.insert('ada', { age })])),
			);
			expect(fulfilled(inserts)).toBe(1);
			const ada = (await people.get('ada'))!;
			const replaces = await Promise.allSettled(
				Array.from({ length: 20 }, (_, age) => world.store.commit([people.replace(ada, { age: 100 + age })])),
			);
			expect(fulfilled(replaces)).toBe(1);
			for (const refusal of [...refusals(inserts), ...refusals(replaces)]) expect(refusal).toEqual(conflict);
			expect((await people.get('ada'))!.value.age).toBe(
				100 + replaces.findIndex(({ status }) => status === 'fulfilled'),
			);
		});

		it('loses no change when its caller reads again and repeats after a conflict', async () => {
			const people = peopleOf(world);
			await world.store.commit([people.insert('left', { age: 0 }), people.insert('right', { age: 0 })]);
			const move = async (): Promise<void> => {
				const [left, right] = await people.getAll(['left', 'right']);
				const change = (read: typeof left, by: number): Person => ({ age: read!.value.age! + by });
				try {
					await world.store.commit([people.replace(left!, change(left, -1)), people.replace(right!, change(right, 1))]);
				} catch (error) {
					expect(error).toEqual(conflict);
					return move();
				}
			};
			await Promise.all(Array.from({ length: 12 }, move));
			expect((await people.getAll(['left', 'right'])).map(({ value }) => value.age)).toEqual([-12, 12]);
		});
	});
}
