/** The program of the service socket, as a process of its own. */
import { RedisBus } from '@crowdvision/bus';
import { followTokens, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import { createSocket } from './service.ts';

await runMain(() =>
	runService('socket', async (context, settings, lifecycle) => {
		const redisUrl = requireRedis(settings);
		const bus = lifecycle.own('bus', new RedisBus({ url: redisUrl, logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		return createSocket({ ...context, bus }, { ownsServer: true, replicasUrl: redisUrl });
	}),
);
