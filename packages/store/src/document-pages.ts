import type { Collection, Query, Versioned } from './store.ts';

const PAGE_SIZE = 1000;

export interface PagesQuery<T> {
	where?: NonNullable<Query<T>['where']>;
	/** An indexed text field whose values differ between the matching documents. */
	by: keyof T & string;
	/** Default 1000. */
	pageSize?: number;
}

/**
 * The documents that match, in the order of `by`, read page by page. Ends after the last page, without an empty one.
 */
export async function* documentPages<T extends object>(
	collection: Collection<T>,
	{ where = {}, by, pageSize = PAGE_SIZE }: PagesQuery<T>,
): AsyncGenerator<Versioned<T>[]> {
	for (let last: Versioned<T> | undefined; ; ) {
		const beyond = last ? { [by]: { gt: String(last.value[by]) } } : {};
		const page: Versioned<T>[] = await collection.find({
			where: { ...where, ...beyond } as NonNullable<Query<T>['where']>,
			order: { by },
			limit: pageSize,
		});
		if (page.length > 0) yield page;
		if (page.length < pageSize) return;
		last = page.at(-1);
	}
}

/** The same documents in one list. */
export async function allDocuments<T extends object>(
	collection: Collection<T>,
	query: PagesQuery<T>,
): Promise<Versioned<T>[]> {
	const all: Versioned<T>[] = [];
	for await (const page of documentPages(collection, query)) all.push(...page);
	return all;
}
