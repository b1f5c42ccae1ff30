import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Stores } from './store.ts';

export interface OpenStoresOptions {
	/** Folder for this process's files. */
	dataDir: string;
	/** Where given, MongoDB keeps it all instead. May hold a password. */
	mongoUrl?: string | undefined;
	logger: PlainLogger;
}

/** The stores of a process, on the engine that its settings name. Only that engine's adapter is loaded. */
export async function openStores({ dataDir, mongoUrl, logger }: OpenStoresOptions): Promise<Stores> {
	if (mongoUrl) {
		const { mongoStores } = await import('./mongo/mongo-store.ts');
		return mongoStores({ url: mongoUrl, logger });
	}
	const { sqliteStores } = await import('./sqlite/sqlite-store.ts');
	return sqliteStores({ dir: dataDir, logger });
}
