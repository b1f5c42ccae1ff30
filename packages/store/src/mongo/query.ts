import type { mongo } from 'mongoose';
import type { CollectionDefinition, Condition, FieldValue, Query } from '../store.ts';

/** A document as it is stored: `v` is its version, `d` its value. */
export interface StoredDocument {
	_id: string;
	v: number;
	d: Record<string, unknown>;
}

const OPERATORS = new Set(['in', 'gt', 'gte', 'lt', 'lte']);

/**
 * Translates a query for MongoDB. Every value is placed under an operator named here, so that no value passes for an
 * operator.
 * @throws Error for a field that no index declares, and for an invalid condition: undefined never means everything.
 */
export function mongoQuery(
	collection: string,
	{ indexes = {} }: CollectionDefinition,
	query: Query<object>,
): { filter: mongo.Filter<StoredDocument>; sort: Record<string, 1 | -1>; limit: number } {
	const { where = {}, order, limit } = query as Query<Record<string, FieldValue>>;
	const declared = new Set(
		Object.values(indexes).flatMap(({ fields, where: only = {} }) => [...fields, ...Object.keys(only)]),
	);
	const indexed = (field: string) => {
		if (declared.has(field)) return `d.${field}`;
		throw new Error(`no index of ${collection} has the field ${field}`);
	};
	if (!Number.isSafeInteger(limit) || limit < 1)
		throw new Error(`a query's limit must be a whole number of at least 1, not ${limit}`);
	const filter: Record<string, unknown> = {};
	for (const [field, condition] of Object.entries(where)) filter[indexed(field)] = operations(field, condition);
	const direction = order?.descending ? -1 : 1;
	return { filter, sort: order ? { [indexed(order.by)]: direction, _id: direction } : { _id: 1 }, limit };
}

function operations(
	field: string,
	condition: Condition | undefined,
): Record<string, FieldValue | readonly FieldValue[]> {
	if (condition === undefined || condition === null) throw new Error(`the condition of ${field} is ${condition}`);
	if (typeof condition !== 'object') return { $eq: fieldValue(condition) };
	const entries = Object.entries(condition);
	if (entries.length === 0) throw new Error(`the condition of ${field} is empty`);
	return Object.fromEntries(
		entries.map(([name, operand]) => {
			if (!OPERATORS.has(name) || Array.isArray(operand) !== (name === 'in'))
				throw new Error(`the condition of ${field} has no such operator: ${name}`);
			return [`$${name}`, Array.isArray(operand) ? operand.map(fieldValue) : fieldValue(operand as FieldValue)];
		}),
	);
}

/** @throws Error unless the value is a text, a finite number or a boolean. */
export function fieldValue(value: FieldValue): FieldValue {
	if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return value;
	throw new Error(`${String(value)} is not a value that a field may have`);
}
