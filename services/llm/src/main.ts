import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { startSqlite } from '@crowdvision/store';
import { createLlm } from './service.ts';

await runMain(() =>
	runService('llm', async (context, settings, lifecycle) => {
		const bus = new RedisBus({ url: requireRedis(settings), logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		const store = startSqlite();
		lifecycle.onStop('store', () => store.close());
		return createLlm({ ...context, bus, store });
	}),
);
