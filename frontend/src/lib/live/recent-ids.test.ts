import { describe, expect, it } from 'vitest';
import { Seen } from './recent-ids.ts';

describe('ids seen', () => {
	it('are new once', () => {
		const seen = new Seen(10);
		expect([seen.add('a'), seen.add('a'), seen.add('b')]).toEqual([true, false, true]);
	});

	it('are forgotten oldest first, beyond the bound', () => {
		const seen = new Seen(2);
		for (const id of ['a', 'b', 'c']) seen.add(id);
		expect([seen.add('c'), seen.add('b'), seen.add('a')]).toEqual([false, false, true]);
	});
});
