/** The program of the service socket, as a process of its own. */
import type { IncomingMessage } from 'node:http';
import { RedisBus } from '@crowdvision/bus';
import { followTokens, requireRedis, runMain, runService } from '@crowdvision/service-kit';
import proxyAddress from 'proxy-addr';
import { createSocket } from './service.ts';

await runMain(() =>
	runService('socket', async (context, settings, lifecycle) => {
		const redisUrl = requireRedis(settings);
		const bus = lifecycle.own('bus', new RedisBus({ url: redisUrl, logger: context.logger }));
		lifecycle.own('tokens', await followTokens(context.tokens, bus, context.logger));
		const trusted = proxyAddress.compile([...settings.TRUST_PROXY]);
		const addressOf = (request: IncomingMessage) => proxyAddress(request, trusted);
		return createSocket({ ...context, bus }, { ownsServer: true, replicasUrl: redisUrl, addressOf });
	}),
);
