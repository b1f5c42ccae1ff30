import { randomInt } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import { type Connection, type IndexOptions, type mongo, Schema } from 'mongoose';
import type { Collection, CollectionDefinition, IndexDefinition, Query, Versioned, Write } from '../store.ts';
import { indexOf, isDuplicate } from './errors.ts';
import { MAX_TIME, type MongoAccess } from './link.ts';
import { fieldValue, mongoQuery, type StoredDocument } from './query.ts';

const versioned = <T>({ _id, v, d }: StoredDocument): Versioned<T> => ({ id: _id, version: v, value: d as T });
const MAX_TRIES = 5;

/** The documents of one store; its collection `name` is the MongoDB collection `<store>.<name>`. */
export class MongoCollections {
	readonly #access: MongoAccess;
	readonly #store: string;
	readonly #definitions: Readonly<Record<string, CollectionDefinition>>;

	constructor(access: MongoAccess, store: string, definitions: Readonly<Record<string, CollectionDefinition>>) {
		this.#access = access;
		this.#store = store;
		this.#definitions = definitions;
	}

	/**
	 * Creates the collections and indexes as defined, and drops indexes that are no longer defined.
	 * @throws Error if documents violate a new unique index.
	 */
	async prepare(connection: Connection): Promise<void> {
		for (const [name, definition] of Object.entries(this.#definitions)) {
			const model = connection.model(this.#nameOf(name), schemaOf(definition), this.#nameOf(name));
			await model.createCollection();
			try {
				await model.syncIndexes();
			} catch (error) {
				if (!isDuplicate(error)) throw error;
				throw new Error('documents violate a new unique index: correct them with the version that wrote them', {
					cause: error,
				});
			}
		}
	}

	collection<T extends object>(name: string): Collection<T> {
		const definition = this.#definition(name);
		const all = (filter: mongo.Filter<StoredDocument>, sort: Record<string, 1 | -1>, limit = 0) =>
			this.#access.run(async (database) => {
				const found = await this.#in(database, name).find(filter, MAX_TIME).sort(sort).limit(limit).toArray();
				return found.map((document) => versioned<T>(document));
			});
		return {
			get: async (id) => (await all({ _id: { $eq: id } }, { _id: 1 }, 1))[0],
			getAll: (ids) => all({ _id: { $in: ids } }, { _id: 1 }),
			find: async (query) => {
				const { filter, sort, limit } = mongoQuery(name, definition, query as Query<object>);
				return all(filter, sort, limit);
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
		const runs = runsOf(writes).map((run) => ({ run, operations: run.map(operationOf) }));
		for (const { run } of runs) this.#definition(run[0]!.collection);
		const [first] = runs;
		if (writes.length === 1)
			return this.#access.run((database) => this.#write(database, first!.run, first!.operations));
		await this.#access.transaction(async (database, session) => {
			for (const { run, operations } of runs) await this.#write(database, run, operations, session);
		});
	}

	async #write(
		database: mongo.Db,
		run: Write[],
		operations: Operation[],
		session?: mongo.ClientSession,
	): Promise<void> {
		const [{ collection, op, version }] = run as [Write];
		for (let attempt = 1; ; attempt++) {
			try {
				const done = await this.#in(database, collection).bulkWrite(operations, {
					...MAX_TIME,
					ordered: true,
					...(session && { session }),
				});
				const matched =
					op === 'replace'
						? done.matchedCount
						: op === 'remove' && version !== undefined
							? done.deletedCount
							: run.length;
				if (matched < run.length) throw new CrowdVisionError('conflict', 'Somebody else changed it meanwhile');
				return;
			} catch (error) {
				if (!isDuplicate(error)) throw error;
				const index = indexOf(error);
				// Of two that put the same new document at once, MongoDB makes one try again.
				if (op === 'put' && index === '_id_' && !session && attempt < MAX_TRIES) continue;
				throw this.#taken(collection, index);
			}
		}
	}

	#taken(collection: string, index: string | undefined): CrowdVisionError {
		const found = Object.entries(this.#definition(collection).indexes ?? {}).find(([name]) => name === index);
		return new CrowdVisionError('conflict', 'It exists already', found ? { path: `/${found[1].fields[0]}` } : {});
	}

	#definition(name: string): CollectionDefinition {
		const found = Object.hasOwn(this.#definitions, name) ? this.#definitions[name] : undefined;
		if (!found) throw new Error(`the store has no collection ${name}`);
		return found;
	}

	#nameOf(collection: string): string {
		return `${this.#store}.${collection}`;
	}

	#in(database: mongo.Db, collection: string): mongo.Collection<StoredDocument> {
		return database.collection<StoredDocument>(this.#nameOf(collection));
	}
}

type Operation = mongo.AnyBulkWriteOperation<StoredDocument>;

/** Groups consecutive writes of the same kind, which go to the server in one request. */
function runsOf(writes: readonly Write[]): Write[][] {
	const kind = ({ collection, op, version }: Write) => `${collection} ${op} ${version !== undefined}`;
	const runs: Write[][] = [];
	for (const write of writes) {
		const last = runs.at(-1);
		if (last && kind(last[0]!) === kind(write)) last.push(write);
		else runs.push([write]);
	}
	return runs;
}

function operationOf({ op, id, version, value }: Write): Operation {
	if (typeof id !== 'string') throw new Error('the id of a document must be text');
	switch (op) {
		case 'insert':
			return { insertOne: { document: { _id: id, v: freshVersion(), d: plain(value) } } };
		case 'put': {
			const next = { $max: [{ $add: [{ $ifNull: ['$v', 0] }, 1] }, freshVersion()] };
			return {
				updateOne: {
					filter: { _id: id },
					update: [{ $set: { v: next, d: { $literal: plain(value) } } }],
					upsert: true,
				},
			};
		}
		case 'replace':
			return {
				replaceOne: {
					filter: { _id: id, v: version! },
					replacement: { v: Math.max(version! + 1, freshVersion()), d: plain(value) },
				},
			};
		case 'remove':
			return { deleteOne: { filter: version === undefined ? { _id: id } : { _id: id, v: version } } };
	}
}

let lastVersion = 0;

/**
 * A version from the clock, so that a document inserted again after its removal gets no version that a caller still
 * holds.
 */
function freshVersion(): number {
	lastVersion = Math.max(lastVersion + 1, Date.now() * 1024 + randomInt(1024));
	return lastVersion;
}

/** The value as JSON preserves it, as in the other engine, and without anything that has a meaning for the driver. */
function plain(value: unknown): Record<string, unknown> {
	if (typeof value !== 'object' || value === null) throw new Error('a document must be an object');
	return JSON.parse(JSON.stringify(value));
}

function schemaOf({ indexes = {} }: CollectionDefinition): Schema {
	const schema = new Schema(
		{ _id: String, v: Number, d: Schema.Types.Mixed },
		{ versionKey: false, autoIndex: false, autoCreate: false },
	);
	for (const [name, definition] of Object.entries(indexes)) {
		schema.index(keysOf(definition), optionsOf(name, definition));
		// A unique index leaves out documents that lack a field, so a query that names only some of the fields needs
		// another index.
		if (definition.unique && definition.fields.length > 1)
			schema.index({ ...keysOf(definition), _id: 1 }, { name: `${name}.all` });
	}
	return schema;
}

/** Includes the id, which breaks ties, so that the index alone gives the order of a query. */
const keysOf = ({ fields, unique }: IndexDefinition): Record<string, 1> =>
	Object.fromEntries([...fields.map((field) => `d.${field}`), ...(unique ? [] : ['_id'])].map((field) => [field, 1]));

function optionsOf(name: string, { fields, unique = false, where = {} }: IndexDefinition): IndexOptions {
	const only: Record<string, unknown> = {};
	if (unique) for (const field of fields) only[`d.${field}`] = { $exists: true };
	for (const [field, value] of Object.entries(where)) only[`d.${field}`] = fieldValue(value);
	return { name, ...(unique && { unique }), ...(Object.keys(only).length > 0 && { partialFilterExpression: only }) };
}
