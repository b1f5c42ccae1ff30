import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStore } from '../store.conformance.ts';
import { sqliteStores } from './sqlite-store.ts';

describeStore('SQLite', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-store-'));
	return {
		open: async () => sqliteStores({ dir }),
		stop: () => rm(dir, { recursive: true, force: true }),
	};
});
