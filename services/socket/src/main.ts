import { RedisBus } from '@crowdvision/bus';
import { requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { createSocket } from './service.ts';

await runMain(() =>
	runService('socket', async (context, settings, lifecycle) => {
		const bus = new RedisBus({ url: requireRedis(settings), logger: context.logger });
		lifecycle.onStop('bus', () => bus.close());
		return createSocket({ ...context, bus }, { ownsServer: true });
	}),
);
