/** Documents in SQLite, each with a checksum. */
import { crc32 } from 'node:zlib';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Collection, CollectionDefinition, Query, Versioned, Write } from '../store.ts';
import { type SqliteDatabase, UniqueViolation } from './engine.ts';
import { indexesOf, indexName, tableOf } from './names.ts';
import type { Statement } from './protocol.ts';
import { queryOf } from './query.ts';

interface Row {
	id: string;
	version: number;
	value: string;
	crc: number;
}

/** Checksum of id and value, since SQLite does not detect a changed character within a text. */
const crcOf = (id: string, value: string): number => crc32(value, crc32(id));

/**
 * The documents of one file: a table per collection, with the value as JSON text. Calls `onDamage` when a document does
 * not match its checksum.
 */
export class SqliteCollections {
	readonly #database: SqliteDatabase;
	readonly #definitions: Readonly<Record<string, CollectionDefinition>>;
	readonly #onDamage: () => void;

	constructor(
		database: SqliteDatabase,
		definitions: Readonly<Record<string, CollectionDefinition>>,
		onDamage: () => void,
	) {
		this.#database = database;
		this.#onDamage = onDamage;
		this.#definitions = definitions;
	}

	collection<T extends object>(name: string): Collection<T> {
		const definition = this.#definition(name);
		const table = tableOf(name);
		const all = async (sql: string, params: Statement['params']) =>
			(await this.#database.all<Row>(sql, params)).map((row) => this.#checked<T>(row));
		return {
			get: async (id) => (await all(`SELECT id, version, value, crc FROM ${table} WHERE id = ?`, [id]))[0],
			getAll: (ids) =>
				all(`SELECT id, version, value, crc FROM ${table} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`, [
					JSON.stringify(ids),
				]),
			find: async (query) => {
				const { sql, params } = queryOf(name, definition, query as Query<object>);
				return all(sql, params);
			},
			insert: (id, value) => ({ collection: name, op: 'insert', id, value }),
			replace: ({ id, version }, value) => ({ collection: name, op: 'replace', id, version, value }),
			put: (id, value) => ({ collection: name, op: 'put', id, value }),
			remove: (which) =>
				typeof which === 'string'
					? { collection: name, op: 'remove', id: which }
					: { collection: name, op: 'remove', id: which.id, version: which.version },
		};
	}

	async commit(writes: readonly Write[]): Promise<void> {
		if (writes.length === 0) return;
		const statements = writes.map((write) => this.#statement(write));
		try {
			await this.#database.transaction([{ sql: 'UPDATE commits SET n = n + 1' }, ...statements]);
		} catch (error) {
			throw error instanceof UniqueViolation ? this.#taken(error.constraint) : error;
		}
	}

	#checked<T>({ id, version, value, crc }: Row): Versioned<T> {
		if (crc === crcOf(id, value)) return { id, version, value: JSON.parse(value) as T };
		this.#onDamage();
		throw new CrowdVisionError('unavailable', 'A stored document is damaged', {}, 1);
	}

	#statement({ collection, op, id, version, value }: Write): Statement {
		this.#definition(collection);
		const table = tableOf(collection);
		const next = '(SELECT n FROM commits)';
		const insert = `INSERT INTO ${table} (id, version, value, crc) VALUES (?, ${next}, ?, ?)`;
		switch (op) {
			case 'insert':
				return { sql: insert, params: [id, ...written(id, value)] };
			case 'put':
				return {
					sql: `${insert}
						ON CONFLICT (id) DO UPDATE SET version = excluded.version, value = excluded.value, crc = excluded.crc`,
					params: [id, ...written(id, value)],
				};
			case 'replace':
				return {
					sql: `UPDATE ${table} SET version = ${next}, value = ?, crc = ? WHERE id = ? AND version = ?`,
					params: [...written(id, value), id, version!],
					expect: 1,
				};
			case 'remove':
				return version === undefined
					? { sql: `DELETE FROM ${table} WHERE id = ?`, params: [id] }
					: { sql: `DELETE FROM ${table} WHERE id = ? AND version = ?`, params: [id, version], expect: 1 };
		}
	}

	/** The error for a violated unique constraint; a constraint that is no index is the id's. */
	#taken(constraint: string): CrowdVisionError {
		for (const [collection, { indexes = {} }] of Object.entries(this.#definitions)) {
			if (!constraint.startsWith(indexesOf(collection))) continue;
			for (const [name, definition] of Object.entries(indexes)) {
				const [field] = definition.fields;
				if (indexName(collection, name, definition) === constraint)
					return new CrowdVisionError('conflict', 'It exists already', { path: `/${field}` });
			}
		}
		return new CrowdVisionError('conflict', 'It exists already');
	}

	#definition(name: string): CollectionDefinition {
		const found = Object.hasOwn(this.#definitions, name) ? this.#definitions[name] : undefined;
		if (!found) throw new Error(`the store has no collection ${name}`);
		return found;
	}
}

/** A document as it is stored: its JSON text and its checksum. */
function written(id: string, value: unknown): [value: string, crc: number] {
	if (typeof value !== 'object' || value === null) throw new Error('a document must be an object');
	const text = JSON.stringify(value);
	return [text, crcOf(id, text)];
}
