import type { Collection, Query, Versioned } from './store.ts';

const PAGE_SIZE = 1000;

export interface PagesQuery<T> {
	where?: NonNullable<Query<T>['where']>;
	/** An indexed text field. */
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
	let last: string | undefined;
	/** Ids of the documents before this page that agree in `by` with the last one. */
	let equal = new Set<string>();
	for (;;) {
		const beyond = last === undefined ? {} : { [by]: { gte: last } };
		const limit = pageSize + equal.size;
		const found: Versioned<T>[] = await collection.find({
			where: { ...where, ...beyond } as NonNullable<Query<T>['where']>,
			order: { by },
			limit,
		});
		const page = found.filter(({ id }) => !equal.has(id));
		if (page.length > 0) yield page;
		if (found.length < limit) return;
		const next = String(found.at(-1)!.value[by]);
		equal = new Set(found.filter(({ value }) => value[by] === next).map(({ id }) => id));
		last = next;
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

/** Where a page begins: section, value of the ordering field, and id of the last document before it. */
export type DocumentCursor = readonly [section: number, value: string | number, id: string];

export interface PageQuery<T> {
	/** Which documents, in parts that follow each other: as those that are open before the rest. */
	sections: readonly NonNullable<Query<T>['where']>[];
	/** An indexed field; within a section the list is ordered by it, then by id. */
	by: keyof T & string;
	/** Default true: the newest first. */
	descending?: boolean;
	limit: number;
	after?: DocumentCursor | undefined;
	/** Leaves documents out that no condition can express. Default: none. */
	keep?: (document: Versioned<T>) => boolean;
}

/**
 * One page of a list, and the cursor of the next page if there is one. Documents that are inserted meanwhile neither
 * repeat nor hide others.
 */
export async function documentPage<T extends object>(
	collection: Collection<T>,
	{ sections, by, descending = true, limit, after, keep = () => true }: PageQuery<T>,
): Promise<{ documents: Versioned<T>[]; next: DocumentCursor | undefined }> {
	const found: { document: Versioned<T>; section: number }[] = [];
	let section = after?.[0] ?? 0;
	let last = after && { value: after[1], id: after[2] };
	while (sections[section] && found.length <= limit) {
		const want = limit + 1 - found.length;
		const batch = await documentsAfter(collection, { where: sections[section]!, by, descending }, last, want);
		for (const document of batch) if (keep(document)) found.push({ document, section });
		const end = batch.at(-1);
		last = end && batch.length === want ? { value: fieldOf(end, by), id: end.id } : undefined;
		if (!last) section++;
	}
	const page = found.slice(0, limit);
	const end = found.length > limit ? page.at(-1) : undefined;
	return {
		documents: page.map(({ document }) => document),
		next: end && [end.section, fieldOf(end.document, by), end.document.id],
	};
}

const fieldOf = <T>({ value }: Versioned<T>, by: keyof T): string | number => value[by] as string | number;

/** At most `want` documents that come after `last` in the order of the list. */
async function documentsAfter<T extends object>(
	collection: Collection<T>,
	{ where, by, descending }: { where: NonNullable<Query<T>['where']>; by: keyof T & string; descending: boolean },
	last: { value: string | number; id: string } | undefined,
	want: number,
): Promise<Versioned<T>[]> {
	const beyond = last && { [by]: descending ? { lte: last.value } : { gte: last.value } };
	const comesAfter = (document: Versioned<T>) => {
		if (!last) return true;
		const value = fieldOf(document, by);
		if (value !== last.value) return value < last.value === descending;
		return document.id !== last.id && document.id < last.id === descending;
	};
	// Many documents may have the value of the last one, and those before it are read again.
	for (let size = want + 1; ; size *= 4) {
		const read = await collection.find({
			where: { ...where, ...beyond } as NonNullable<Query<T>['where']>,
			order: { by, descending },
			limit: size,
		});
		const rest = read.filter(comesAfter);
		if (rest.length >= want || read.length < size) return rest.slice(0, want);
	}
}
