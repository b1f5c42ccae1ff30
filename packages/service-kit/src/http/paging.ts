/** The pages of lists: what a request asks for, and the cursor that leads to the next page. */
import { CrowdVisionError, PAGE_BOUNDS, type PageBounds } from '@crowdvision/contracts';
import type { Request } from 'express';
import { invalid } from './invalid.ts';

/** Where a page begins: after the item with these values, such as its time and id. Clients see it as opaque text. */
export type CursorParts = readonly (string | number)[];

export interface Page<Parts extends CursorParts = CursorParts> {
	limit: number;
	/** Undefined for the first page. */
	after: Parts | undefined;
}

type Kinds = readonly ('string' | 'number')[];
type PartsOf<K extends Kinds> = { readonly [I in keyof K]: K[I] extends 'string' ? string : number };

/** Longer ones are none of ours. */
const MAX_CURSOR = 1000;

const cursorOf = (parts: CursorParts): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

/** The field `nextCursor` of a list's answer; nothing on the last page. */
export const nextCursorOf = (next: CursorParts | undefined): { nextCursor?: string } =>
	next === undefined ? {} : { nextCursor: cursorOf(next) };

/**
 * The page that the query of a request asks for.
 * @param kinds the types of the parts of this list's cursors
 * @throws CrowdVisionError `invalid` for a limit out of bounds; `bad_request` for a cursor that this list did not give
 */
export function pageOf<const K extends Kinds>(
	request: Pick<Request, 'query'>,
	kinds: K,
	bounds: PageBounds = PAGE_BOUNDS,
): Page<PartsOf<K>> {
	const { limit: text, cursor } = request.query;
	const limit =
		text === undefined ? bounds.default : typeof text === 'string' && /^\d{1,6}$/.test(text) ? Number(text) : 0;
	if (limit < bounds.minimum || limit > bounds.maximum)
		throw invalid([{ path: '/limit', message: `must be a number from ${bounds.minimum} to ${bounds.maximum}` }]);
	if (cursor === undefined) return { limit, after: undefined };
	const after = typeof cursor === 'string' ? parsed(cursor) : undefined;
	if (after?.length === kinds.length && after.every((part, index) => typeof part === kinds[index]))
		return { limit, after: after as CursorParts as PartsOf<K> };
	throw new CrowdVisionError('bad_request', 'The cursor is not one that this list gave: begin without a cursor', {
		path: '/cursor',
	});
}

function parsed(cursor: string): CursorParts | undefined {
	if (cursor.length > MAX_CURSOR) return undefined;
	try {
		const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
		return Array.isArray(parts) ? (parts as CursorParts) : undefined;
	} catch {
		return undefined;
	}
}

/**
 * A page of a list that is in memory.
 * @param items in the order of the list
 * @param partsOf the cursor of an item
 * @param isAfter whether an item comes after the item of this cursor, which may be gone
 */
export function pageOfItems<T, Parts extends CursorParts>(
	items: readonly T[],
	{ limit, after }: Page<Parts>,
	partsOf: (item: T) => Parts,
	isAfter: (item: T, cursor: Parts) => boolean,
): { items: T[]; next: Parts | undefined } {
	const rest = after === undefined ? items : items.filter((item) => isAfter(item, after));
	const page = rest.slice(0, limit);
	return { items: page, next: rest.length > limit ? partsOf(page.at(-1)!) : undefined };
}
