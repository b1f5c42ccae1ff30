import type { Collection, Kept, Query } from '@crowdvision/store';

const PAGE = 1000;

/**
 * Every document that `where` names, in the order of `by`, an indexed text field that no two of them share; read page
 * by page.
 */
export async function allDocuments<T extends object>(
	collection: Collection<T>,
	by: keyof T & string,
	where: NonNullable<Query<T>['where']> = {},
): Promise<Kept<T>[]> {
	const all: Kept<T>[] = [];
	for (;;) {
		const last = all.at(-1);
		const beyond = last ? { [by]: { gt: String(last.value[by]) } } : {};
		const page = await collection.find({
			where: { ...where, ...beyond } as NonNullable<Query<T>['where']>,
			order: { by },
			limit: PAGE,
		});
		all.push(...page);
		if (page.length < PAGE) return all;
	}
}
