import { createLogger } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createConnection, mongo } from 'mongoose';

const { EJSON } = mongo.BSON;

/** A collection with all that is needed to make it again. */
export interface CollectionDump {
	name: string;
	options: mongo.CreateCollectionOptions;
	indexes: mongo.IndexDescription[];
	documents: mongo.Document[];
}

/** Databases by name, as Extended JSON (canonical, so that every number keeps its type). */
export const encodeDump = (dump: Record<string, CollectionDump[]>): string => EJSON.stringify(dump, { relaxed: false });
export const decodeDump = (text: string): Record<string, CollectionDump[]> =>
	EJSON.parse(text, { relaxed: false }) as Record<string, CollectionDump[]>;

/** Reads all of the database that the URL names. */
export async function dumpDatabase(url: string): Promise<CollectionDump[]> {
	return inDatabase(url, async (database) => {
		const collections = (await database.listCollections().toArray()) as mongo.CollectionInfo[];
		const ours = collections.filter(({ name }) => !name.startsWith('system.'));
		return Promise.all(
			ours.map(async ({ name, options = {} }) => {
				const collection = database.collection(name);
				const indexes = await collection.indexes();
				return {
					name,
					options: creatable(options),
					indexes: indexes.flatMap(({ v: _, ...index }) => (index.name === '_id_' ? [] : [index])),
					documents: await collection.find({}, { promoteValues: false }).toArray(),
				};
			}),
		);
	});
}

/** Fills the empty database that the URL names. Of a server that is no replica set yet it makes one. */
export async function restoreDatabase(url: string, dump: readonly CollectionDump[]): Promise<void> {
	const stores = await openStores({ dataDir: '', mongoUrl: url, logger: createLogger('restore', 'warn') });
	await (await stores.open('restore', { collections: {} })).close();
	await stores.close();
	await inDatabase(url, async (database) => {
		for (const { name, options, indexes, documents } of dump) {
			const collection = await database.createCollection(name, options);
			if (indexes.length > 0) await collection.createIndexes(indexes);
			if (documents.length > 0) await collection.insertMany(documents);
		}
	});
}

async function inDatabase<T>(url: string, work: (database: mongo.Db) => Promise<T>): Promise<T> {
	const connection = await createConnection(url, { directConnection: true }).asPromise();
	try {
		return await work(connection.db!);
	} finally {
		await connection.close();
	}
}

/** What the server tells of a time series beyond what it was told follows from that. */
function creatable({ timeseries, ...options }: mongo.CreateCollectionOptions): mongo.CreateCollectionOptions {
	if (!timeseries) return options;
	const { timeField, metaField, granularity } = timeseries;
	return { ...options, timeseries: { timeField, metaField: metaField!, granularity: granularity! } };
}
