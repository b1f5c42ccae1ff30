import { CrowdVisionError } from '@crowdvision/contracts';
import type { CollectionDefinition, IndexDefinition } from '../store.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { fieldOf, indexesOf, indexName, literal, tableOf } from './sqlite-names.ts';
import type { Statement } from './sqlite-protocol.ts';

/** Marks a file as one of this adapter: `PRAGMA application_id`, the bytes CVst. */
export const APPLICATION_ID = 0x43567374;

/** What every file has; only ever add to the end. */
export const MIGRATIONS = [
	`
	PRAGMA application_id = ${APPLICATION_ID};
	-- Counts the commits. A document's version is that of the commit that wrote it, so that none ever comes back.
	CREATE TABLE commits (n INTEGER NOT NULL);
	INSERT INTO commits VALUES (0);

	-- What one sensor says of one metric in one room, and what it said last. The sensor '' is the room: all its sensors combined.
	-- One without a building belongs to one that was removed, and waits for its readings to be deleted.
	CREATE TABLE series (
		key INTEGER PRIMARY KEY,
		building TEXT,
		room TEXT NOT NULL,
		metric TEXT NOT NULL,
		sensor TEXT NOT NULL,
		value REAL,
		observed_at INTEGER,
		transport TEXT,
		position TEXT,
		unchanged_since INTEGER,
		UNIQUE (building, room, metric, sensor)
	);

	-- In the order of reading it back, and no more than that: years of it have to fit on a card.
	CREATE TABLE readings (
		series INTEGER NOT NULL,
		observed_at INTEGER NOT NULL,
		id TEXT NOT NULL,
		value REAL NOT NULL,
		PRIMARY KEY (series, observed_at, id)
	) WITHOUT ROWID;

	CREATE TABLE roll_ups (
		series INTEGER NOT NULL,
		start INTEGER NOT NULL,
		known_ms REAL NOT NULL,
		weighted REAL NOT NULL,
		count INTEGER NOT NULL,
		min REAL NOT NULL,
		max REAL NOT NULL,
		last REAL NOT NULL,
		last_at REAL NOT NULL,
		PRIMARY KEY (series, start)
	) WITHOUT ROWID;

	-- Periods of rooms whose roll-ups do not tell all samples. Both numbers are of a commit: of the first sample, and of the last.
	CREATE TABLE stale (
		series INTEGER NOT NULL,
		start INTEGER NOT NULL,
		queued INTEGER NOT NULL,
		token INTEGER NOT NULL,
		PRIMARY KEY (series, start)
	) WITHOUT ROWID;
	CREATE INDEX stale_queue ON stale (queued);

	-- How far a stream is taken in; moves in the transaction that stores the readings.
	CREATE TABLE progress (
		stream TEXT PRIMARY KEY,
		position TEXT NOT NULL
	) WITHOUT ROWID;

	-- What was observed before is not stored any more, so that no roll-up is made of what retention left of a period.
	CREATE TABLE forgotten (before INTEGER NOT NULL);
	INSERT INTO forgotten VALUES (0);
	`,
	`
	-- Of a count made of crossings: how far it may have drifted.
	ALTER TABLE series ADD COLUMN low REAL;
	ALTER TABLE series ADD COLUMN high REAL;
	`,
];

/**
 * Makes the tables and indexes of collections as they are defined, and drops indexes that are defined no more; all in
 * one transaction.
 * @throws Error where documents break what an index demands.
 */
export async function applyDefinitions(
	database: SqliteDatabase,
	collections: Readonly<Record<string, CollectionDefinition>>,
): Promise<void> {
	const rows = await database.all<{ name: string }>(
		"SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
	);
	const present = new Set(rows.map(({ name }) => name));
	const statements: Statement[] = [];
	for (const [collection, { indexes = {} }] of Object.entries(collections)) {
		const table = tableOf(collection);
		statements.push({
			sql: `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL)`,
		});
		const wanted = new Map(
			Object.entries(indexes).map(([name, definition]) => [indexName(collection, name, definition), definition]),
		);
		for (const name of present) {
			if (name.startsWith(indexesOf(collection)) && !wanted.has(name)) statements.push({ sql: `DROP INDEX "${name}"` });
		}
		for (const [name, definition] of wanted)
			if (!present.has(name)) statements.push({ sql: createIndex(name, table, definition) });
	}
	try {
		await database.transaction(statements);
	} catch (error) {
		if (!(error instanceof CrowdVisionError && error.code === 'conflict')) throw error;
		throw new Error('documents agree in what a new index wants unique: mend them with the version that wrote them', {
			cause: error,
		});
	}
}

function createIndex(name: string, table: string, { fields, unique = false, where = {} }: IndexDefinition): string {
	// The id breaks ties, so that the order of a query comes from the index alone.
	const columns = [...fields.map(fieldOf), ...(unique ? [] : ['id'])].join(', ');
	const only = Object.entries(where).map(([field, value]) => `${fieldOf(field)} = ${literal(value)}`);
	return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX "${name}" ON ${table} (${columns})${only.length > 0 ? ` WHERE ${only.join(' AND ')}` : ''}`;
}
