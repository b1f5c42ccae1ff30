import { describe, expect, it } from 'vitest';
import { RecentIds } from './recent-ids.ts';

describe('recent ids', () => {
	it('report an id as new only the first time', () => {
		const ids = new RecentIds(10);
		expect([ids.add('a'), ids.add('a'), ids.add('b')]).toEqual([true, false, true]);
	});

	it('forget the oldest id beyond the limit', () => {
		const ids = new RecentIds(2);
		for (const id of ['a', 'b', 'c']) ids.add(id);
		expect([ids.add('c'), ids.add('b'), ids.add('a')]).toEqual([false, false, true]);
	});
});
