import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Stores } from './store.ts';

export interface OpenStoresOptions {
	/** Folder for the files of this process. */
	dataDir: string;
	/** Set to use MongoDB instead of files. May contain a password. */
	mongoUrl?: string | undefined;
	logger: PlainLogger;
}

/** The stores of a process, on the engine that its settings choose. Loads only that engine's adapter. */
export async function openStores({ dataDir, mongoUrl, logger }: OpenStoresOptions): Promise<Stores> {
	if (mongoUrl) {
		const { mongoStores } = await import('./mongo/mongo-store.ts');
		return mongoStores({ url: mongoUrl, logger });
	}
	const { sqliteStores } = await import('./sqlite/sqlite-store.ts');
	return sqliteStores({ dir: dataDir, logger });
}
