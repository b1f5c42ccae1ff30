/** How lists are served page by page. */
import Type, { type TSchema } from 'typebox';

/** Items of one page: how many at most, and without `limit`. */
export interface PageBounds {
	minimum: number;
	maximum: number;
	default: number;
}

/** The bounds of every list that names no others. */
export const PAGE_BOUNDS: PageBounds = { minimum: 1, maximum: 1000, default: 1000 };

/** The query parameters of a list that is served page by page. */
export const pageQuery = (bounds: PageBounds = PAGE_BOUNDS) => ({
	limit: Type.Optional(Type.Integer({ ...bounds, description: 'items of one page' })),
	cursor: Type.Optional(Type.String({ description: '`nextCursor` of the page before; without it: the first page' })),
});

/** The part of a list's answer that leads to the next page. */
export const NextCursor = Type.Optional(
	Type.String({ description: '`cursor` of the next page; absent on the last one' }),
);

/** The answer of a list: `{<name>: […], nextCursor?}`. */
export const pageOf = <Name extends string, Item extends TSchema>(name: Name, item: Item) =>
	Type.Object({
		...({ [name]: Type.Array(item) } as Record<Name, ReturnType<typeof Type.Array<Item>>>),
		nextCursor: NextCursor,
	});
