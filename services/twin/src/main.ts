/** The program of the service twin, as a process of its own. */
import { RedisBus } from '@crowdvision/bus';
import { followTokens, readSettings, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createTwin } from './service.ts';
import { retentionOf, TWIN_SETTINGS } from './settings.ts';

await runMain(() => {
	const retention = retentionOf(readSettings(TWIN_SETTINGS, process.env));
	return runService('twin', async (context, settings, lifecycle) => {
		const bus = lifecycle.own('bus', new RedisBus({ url: requireRedis(settings), logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		const stores = lifecycle.own(
			'stores',
			await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger }),
		);
		return createTwin({ ...context, bus, stores }, { retention, replicas: settings.MONGO_URL !== undefined });
	});
});
