import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStores } from './sqlite-store.ts';
import { describeStore } from './store.conformance.ts';

describeStore('SQLite', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-store-'));
	return {
		open: async () => sqliteStores({ dir }),
		stop: () => rm(dir, { recursive: true, force: true }),
	};
});
