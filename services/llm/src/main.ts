import { RedisBus } from '@crowdvision/bus';
import { followTokens, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createLlm } from './service.ts';

await runMain(() =>
	runService('llm', async (context, settings, lifecycle) => {
		const bus = new RedisBus({ url: requireRedis(settings), logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		const links = await followTokens(context.tokens, bus, context.logger);
		lifecycle.onStop('tokens', () => links.close());
		const stores = await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger });
		lifecycle.onStop('stores', () => stores.close());
		return createLlm({ ...context, bus, stores });
	}),
);
