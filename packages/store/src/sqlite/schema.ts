import { CrowdVisionError } from '@crowdvision/contracts';
import type { CollectionDefinition, IndexDefinition } from '../store.ts';
import type { SqliteDatabase } from './engine.ts';
import { fieldOf, indexesOf, indexName, literal, tableOf } from './names.ts';
import type { Statement } from './protocol.ts';

/** `PRAGMA application_id` of this adapter's files: the bytes CVst. */
export const APPLICATION_ID = 0x43567374;

/** The schema of every file. Only ever add at the end. */
export const MIGRATIONS = [
	`
	PRAGMA application_id = ${APPLICATION_ID};
	-- Counts the commits. A document's version is the number of the commit that wrote it, so that it never repeats.
	CREATE TABLE commits (n INTEGER NOT NULL);
	INSERT INTO commits VALUES (0);

	-- One sensor's series of one metric in one room, with its latest value. The sensor '' is the room, with all its
	-- sensors combined. A series without a building belongs to a removed one: its readings are still to be deleted.
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

	-- Stored in the order in which it is read, and nothing else: years of readings must fit on an SD card.
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

	-- Periods whose roll-ups do not include all samples. Both numbers are commits: of the first and last new sample.
	CREATE TABLE stale (
		series INTEGER NOT NULL,
		start INTEGER NOT NULL,
		queued INTEGER NOT NULL,
		token INTEGER NOT NULL,
		PRIMARY KEY (series, start)
	) WITHOUT ROWID;
	CREATE INDEX stale_queue ON stale (queued);

	-- The progress of a stream; moves in the transaction that stores the readings.
	CREATE TABLE progress (
		stream TEXT PRIMARY KEY,
		position TEXT NOT NULL
	) WITHOUT ROWID;

	-- Readings observed before this are not stored, so that no roll-up is computed from an incomplete period.
	CREATE TABLE forgotten (before INTEGER NOT NULL);
	INSERT INTO forgotten VALUES (0);
	`,
	`
	-- Bounds of a count that is made of crossings.
	ALTER TABLE series ADD COLUMN low REAL;
	ALTER TABLE series ADD COLUMN high REAL;
	`,
	`
	-- How long the latest value counts as current, in ms, as the gateway said.
	ALTER TABLE series ADD COLUMN fresh_for INTEGER;
	`,
	`
	-- How long a value holds, in ms, where that is longer than values of its metric usually do.
	ALTER TABLE readings ADD COLUMN fresh_for INTEGER;
	`,
	`
	-- How long the value was a sum that lacked silent counters, in ms.
	ALTER TABLE roll_ups ADD COLUMN incomplete_ms REAL NOT NULL DEFAULT 0;
	`,
	`
	-- How people call the sensor, as its latest reading said.
	ALTER TABLE series ADD COLUMN sensor_name TEXT;
	-- 1 where a value is the upper limit, of which a sensor sent a little more; else null.
	ALTER TABLE series ADD COLUMN clipped INTEGER;
	ALTER TABLE readings ADD COLUMN clipped INTEGER;
	ALTER TABLE roll_ups ADD COLUMN clipped INTEGER;
	`,
];

const DOCUMENT_COLUMNS =
	'id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL';

/**
 * Creates the tables and indexes of the collections as defined, and drops indexes that are no longer defined, all in
 * one transaction.
 * @throws Error if documents violate a new unique index.
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
			sql: `CREATE TABLE IF NOT EXISTS ${table} (${DOCUMENT_COLUMNS})`,
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
		throw new Error('documents violate a new unique index: correct them with the version that wrote them', {
			cause: error,
		});
	}
}

function createIndex(name: string, table: string, { fields, unique = false, where = {} }: IndexDefinition): string {
	// The id breaks ties, so that the index alone gives the order of a query.
	const columns = [...fields.map(fieldOf), ...(unique ? [] : ['id'])].join(', ');
	const only = Object.entries(where).map(([field, value]) => `${fieldOf(field)} = ${literal(value)}`);
	const filter = only.length > 0 ? ` WHERE ${only.join(' AND ')}` : '';
	return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX "${name}" ON ${table} (${columns})${filter}`;
}
