/** The program of the service llm, as a process of its own. */
import { RedisBus } from '@crowdvision/bus';
import { followTokens, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createLlm } from './service.ts';

await runMain(() =>
	runService('llm', async (context, settings, lifecycle) => {
		const bus = lifecycle.own('bus', new RedisBus({ url: requireRedis(settings), logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		const stores = lifecycle.own(
			'stores',
			await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger }),
		);
		return createLlm({ ...context, bus, stores });
	}),
);
