import { createHash } from 'node:crypto';
import type { FieldValue, IndexDefinition } from '../store.ts';

const COLLECTION = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
const FIELD = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;

/** The table of a collection's documents, as SQL. */
export const tableOf = (collection: string): string => `"documents of ${checked(COLLECTION, collection)}"`;

/** The value of a document's field, as SQL. SQLite uses an index only for the same expression, spelled the same way. */
export const fieldOf = (field: string): string => `(value ->> '$.${checked(FIELD, field)}')`;

/** The prefix of the names of a collection's indexes. */
export const indexesOf = (collection: string): string => `${collection}.`;

/** The name of an index, with a hash of its definition: another definition is another index. */
export function indexName(collection: string, name: string, definition: IndexDefinition): string {
	const { fields, unique = false, where = {} } = definition;
	const hash = createHash('sha256').update(JSON.stringify([fields, unique, Object.entries(where).sort()]));
	return `${indexesOf(collection)}${checked(COLLECTION, name)}.${hash.digest('hex').slice(0, 16)}`;
}

/** A value as SQL text, where parameters are not possible. */
export function literal(value: FieldValue): string {
	if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
	if (typeof value === 'boolean') return value ? '1' : '0';
	if (Number.isFinite(value)) return String(value);
	throw new Error(`${value} is not a value that a field may have`);
}

/** A value as a parameter, as the operator `->>` returns it. */
export function bound(value: FieldValue): string | number {
	if (typeof value === 'boolean') return value ? 1 : 0;
	if (typeof value === 'string' || Number.isFinite(value)) return value;
	throw new Error(`${String(value)} is not a value that a field may have`);
}

function checked(pattern: RegExp, name: string): string {
	if (pattern.test(name)) return name;
	throw new Error(
		`${JSON.stringify(name)} is not a valid name of a collection, index or field: it must match ${pattern.source}`,
	);
}
