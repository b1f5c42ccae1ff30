import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { createSocket } from './service.ts';

await runMain(() =>
	runService('socket', async (context, settings, lifecycle) => {
		const redisUrl = requireRedis(settings);
		const bus = new RedisBus({ url: redisUrl, logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		return createSocket({ ...context, bus }, { ownsServer: true, replicasUrl: redisUrl });
	}),
);
