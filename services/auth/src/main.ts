import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores, startSqlite } from '@crowdvision/store';
import { createAuth } from './service.ts';

await runMain(() =>
	runService('auth', async (context, settings, lifecycle) => {
		const bus = new RedisBus({ url: requireRedis(settings), logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		const store = startSqlite();
		lifecycle.onStop('store', () => store.close());
		const stores = await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger });
		lifecycle.onStop('stores', () => stores.close());
		return createAuth({ ...context, bus, store, stores });
	}),
);
