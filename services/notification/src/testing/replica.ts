import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createNotification } from '../index.ts';

/** One of several replicas, as main.ts runs it, but with a given time to live of the leader's lease, in ms. */
const [ttlMs = ''] = process.argv.slice(2);

await runMain(() =>
	runService('notification', async (context, settings, lifecycle) => {
		const bus = new RedisBus({ url: requireRedis(settings), logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		const stores = await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger });
		lifecycle.onStop('stores', () => stores.close());
		return createNotification({ ...context, bus, stores }, { replica: { ttlMs: Number(ttlMs) } });
	}),
);
