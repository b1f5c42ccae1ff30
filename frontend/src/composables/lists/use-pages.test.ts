import { describe, expect, it } from 'vitest';
import { usePages } from './use-pages.ts';

const PAGES: Record<string, { items: string[]; nextCursor?: string }> = {
	first: { items: ['a', 'b'], nextCursor: 'second' },
	second: { items: ['c', 'd'], nextCursor: 'third' },
	third: { items: ['e'] },
};

describe('P14 a list that is shown page by page', () => {
	it('begins with the first page, and goes on to the last', async () => {
		const list = usePages(async (cursor) => PAGES[cursor ?? 'first']!);
		expect([list.items.value, list.hasMore.value]).toEqual([undefined, false]);
		await list.reload();
		expect([list.items.value, list.hasMore.value]).toEqual([['a', 'b'], true]);
		await list.more();
		await list.more();
		expect([list.items.value, list.hasMore.value]).toEqual([['a', 'b', 'c', 'd', 'e'], false]);
		await list.more();
		expect(list.items.value).toHaveLength(5);
	});

	it('keeps what is there, and says why, where a page cannot be loaded; it can be tried again', async () => {
		let isAway = false;
		const list = usePages(async (cursor) => {
			if (isAway) throw new Error('away');
			return PAGES[cursor ?? 'first']!;
		});
		await list.reload();
		isAway = true;
		await list.more();
		expect([list.items.value, list.hasMore.value, list.busy.value]).toEqual([['a', 'b'], true, false]);
		expect(list.error.value).toEqual(new Error('away'));
		isAway = false;
		await list.more();
		expect([list.items.value, list.error.value]).toEqual([['a', 'b', 'c', 'd'], undefined]);
	});

	it('shows no answer to an earlier request after it was loaded again', async () => {
		const waiting: ((page: { items: string[] }) => void)[] = [];
		const list = usePages<string>(() => new Promise((resolve) => waiting.push(resolve)));
		const [old, present] = [list.reload(), list.reload()];
		waiting[1]!({ items: ['new'] });
		waiting[0]!({ items: ['old'] });
		await Promise.all([old, present]);
		expect(list.items.value).toEqual(['new']);
	});
});
