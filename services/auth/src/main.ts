/** The program of the service auth, as a process of its own. */
import { RedisBus } from '@crowdvision/bus';
import { followTokens, readSettings, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createAuth } from './service.ts';
import { AUTH_SETTINGS } from './settings.ts';

await runMain(() => {
	const options = readSettings(AUTH_SETTINGS, process.env);
	return runService('auth', async (context, settings, lifecycle) => {
		const bus = lifecycle.own('bus', new RedisBus({ url: requireRedis(settings), logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		const stores = lifecycle.own(
			'stores',
			await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger }),
		);
		return createAuth({ ...context, bus, stores }, options);
	});
});
