/** A page of a list that a service serves. */
export interface ListPage<T> {
	items: T[];
	nextCursor?: string | undefined;
}

/** All items of a list, page after page. */
export async function everyPage<T>(load: (cursor: string | undefined) => Promise<ListPage<T>>): Promise<T[]> {
	const all: T[] = [];
	for (let cursor: string | undefined; ; ) {
		const page = await load(cursor);
		all.push(...page.items);
		if (page.nextCursor === undefined) return all;
		cursor = page.nextCursor;
	}
}
