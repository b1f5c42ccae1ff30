/** The program of the service notification, as a process of its own. */
import { RedisBus } from '@crowdvision/bus';
import { followTokens, readSettings, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { createNotification } from './service.ts';
import { NOTIFICATION_SETTINGS } from './settings.ts';

await runMain(() =>
	runService('notification', async (context, settings, lifecycle) => {
		const bus = lifecycle.own('bus', new RedisBus({ url: requireRedis(settings), logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		const stores = lifecycle.own(
			'stores',
			await openStores({ dataDir: context.dataDir, mongoUrl: settings.MONGO_URL, logger: context.logger }),
		);
		// A store in files belongs to one process; one in MongoDB may be shared.
		return createNotification(
			{ ...context, bus, stores },
			{ settings: readSettings(NOTIFICATION_SETTINGS, process.env), ...(settings.MONGO_URL && { replica: {} }) },
		);
	}),
);
