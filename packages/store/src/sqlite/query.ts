import type { CollectionDefinition, Condition, FieldValue, Query } from '../store.ts';
import { bound, fieldOf, literal, tableOf } from './names.ts';
import type { SqlValue } from './protocol.ts';

const COMPARISONS: Record<string, string> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/**
 * Translates a query into SQL.
 * @throws Error for a field that no index declares, and for an invalid condition: undefined never means everything.
 */
export function queryOf(
	collection: string,
	{ indexes = {} }: CollectionDefinition,
	query: Query<object>,
): { sql: string; params: SqlValue[] } {
	const { where = {}, order, limit } = query as Query<Record<string, FieldValue>>;
	const definitions = Object.values(indexes);
	const declared = new Set(definitions.flatMap(({ fields, where: only = {} }) => [...fields, ...Object.keys(only)]));
	// SQLite uses an index with a WHERE only if the query repeats that condition literally, not as a parameter.
	const spelled = new Set(definitions.flatMap(({ where: only = {} }) => Object.keys(only)));
	const indexed = (field: string) => {
		if (declared.has(field)) return fieldOf(field);
		throw new Error(`no index of ${collection} has the field ${field}`);
	};
	if (!Number.isSafeInteger(limit) || limit < 1)
		throw new Error(`a query's limit must be a whole number of at least 1, not ${limit}`);

	const params: SqlValue[] = [];
	const terms: string[] = [];
	for (const [field, condition] of Object.entries(where)) {
		const value = indexed(field);
		for (const [operator, operand] of operations(field, condition)) {
			if (operator === '=' && spelled.has(field)) terms.push(`${value} = ${literal(operand as FieldValue)}`);
			else if (operator === 'IN') {
				terms.push(`${value} IN (SELECT value FROM json_each(?))`);
				params.push(JSON.stringify((operand as FieldValue[]).map(bound)));
			} else {
				terms.push(`${value} ${operator} ?`);
				params.push(bound(operand as FieldValue));
			}
		}
	}
	const direction = order?.descending ? ' DESC' : '';
	const by = order ? `${indexed(order.by)}${direction}, id${direction}` : 'id';
	const filter = terms.length > 0 ? `WHERE ${terms.join(' AND ')} ` : '';
	return {
		sql: `SELECT id, version, value, crc FROM ${tableOf(collection)} ${filter}ORDER BY ${by} LIMIT ?`,
		params: [...params, limit],
	};
}

function operations(
	field: string,
	condition: Condition | undefined,
): [operator: string, operand: FieldValue | readonly FieldValue[]][] {
	if (typeof condition !== 'object' || condition === null) {
		if (condition === undefined || condition === null) throw new Error(`the condition of ${field} is ${condition}`);
		return [['=', condition]];
	}
	const entries = Object.entries(condition);
	if (entries.length === 0) throw new Error(`the condition of ${field} is empty`);
	return entries.map(([name, operand]) => {
		if (name === 'in' && Array.isArray(operand)) return ['IN', operand];
		const comparison = COMPARISONS[name];
		if (!comparison || operand === undefined)
			throw new Error(`the condition of ${field} has no such operator: ${name}`);
		return [comparison, operand as FieldValue];
	});
}
