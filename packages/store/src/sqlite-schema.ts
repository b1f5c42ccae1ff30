import { CrowdVisionError } from '@crowdvision/contracts';
import type { SqliteDatabase } from './sqlite.ts';
import { fieldOf, indexesOf, indexName, literal, tableOf } from './sqlite-names.ts';
import type { Statement } from './sqlite-protocol.ts';
import type { CollectionDefinition, IndexDefinition } from './store.ts';

/** Marks a file as one of this adapter: `PRAGMA application_id`, the bytes CVst. */
export const APPLICATION_ID = 0x43567374;

/** What every file has; only ever add to the end. */
export const MIGRATIONS = [
	`
	PRAGMA application_id = ${APPLICATION_ID};
	-- Counts the commits. A document's version is that of the commit that wrote it, so that none ever comes back.
	CREATE TABLE commits (n INTEGER NOT NULL);
	INSERT INTO commits VALUES (0);
	`,
];

/**
 * Makes the tables and indexes of collections as they are defined, and drops indexes that are defined no more; all in one transaction.
 * @throws Error where documents break what an index demands.
 */
export async function applyDefinitions(database: SqliteDatabase, collections: Readonly<Record<string, CollectionDefinition>>): Promise<void> {
	const rows = await database.all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL");
	const present = new Set(rows.map(({ name }) => name));
	const statements: Statement[] = [];
	for (const [collection, { indexes = {} }] of Object.entries(collections)) {
		const table = tableOf(collection);
		statements.push({ sql: `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL)` });
		const wanted = new Map(Object.entries(indexes).map(([name, definition]) => [indexName(collection, name, definition), definition]));
		for (const name of present) {
			if (name.startsWith(indexesOf(collection)) && !wanted.has(name)) statements.push({ sql: `DROP INDEX "${name}"` });
		}
		for (const [name, definition] of wanted) if (!present.has(name)) statements.push({ sql: createIndex(name, table, definition) });
	}
	try {
		await database.transaction(statements);
	} catch (error) {
		if (!(error instanceof CrowdVisionError && error.code === 'conflict')) throw error;
		throw new Error('documents agree in what a new index wants unique: mend them with the version that wrote them', { cause: error });
	}
}

function createIndex(name: string, table: string, { fields, unique = false, where = {} }: IndexDefinition): string {
	// The id breaks ties, so that the order of a query comes from the index alone.
	const columns = [...fields.map(fieldOf), ...(unique ? [] : ['id'])].join(', ');
	const only = Object.entries(where).map(([field, value]) => `${fieldOf(field)} = ${literal(value)}`);
	return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX "${name}" ON ${table} (${columns})${only.length > 0 ? ` WHERE ${only.join(' AND ')}` : ''}`;
}
