import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createNotification } from '../index.ts';

/** One of several, as main.ts runs it, but quick to notice that another is gone: after so many milliseconds. */
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
