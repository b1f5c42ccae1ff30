import { join } from 'node:path';
import { type Bus, EmbeddedBus, RedisBus } from '@crowdvision/bus';
import { STREAMS } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';
import type { Lifecycle, Logger } from '@crowdvision/service-kit';

/** Disk space of each stream that is not the gateway's log. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface BusParts {
	/** The gateway's log, which is the stream `telemetry` of the embedded bus. */
	log: Log;
	config: { redisUrl?: string | undefined; gatewayId: string; dataDir: string };
	worker: CommitWorker;
	lifecycle: Lifecycle;
	logger: Logger;
}

/** Opens the bus: Redis where REDIS_URL is set, else the gateway's own log with small logs for the other streams. */
export async function openBus({ log, config, worker, lifecycle, logger }: BusParts): Promise<Bus> {
	removeOtherCursors(log, config.redisUrl !== undefined);
	if (config.redisUrl) return lifecycle.own('bus', new RedisBus({ url: config.redisUrl, logger }));
	const open = async (stream: string, whenFull: 'refuse' | 'drop-oldest') => {
		const opened = await Log.open({
			dir: join(config.dataDir, 'bus', stream),
			worker,
			maxBytes: MAX_BYTES,
			whenFull,
			onIncident: (incident) => logger.error({ incident, stream }, 'bus: entries of a stream are damaged or missing'),
		});
		return lifecycle.own(`stream ${stream}`, opened, (stopped) => stopped.close());
	};
	const logs = {
		[STREAMS.telemetry]: log,
		[STREAMS.commands]: await open(STREAMS.commands, 'refuse'),
		[STREAMS.commandResults]: await open(STREAMS.commandResults, 'refuse'),
	};
	const deadLog = await open('dead', 'drop-oldest');
	return lifecycle.own('bus', new EmbeddedBus({ gatewayId: config.gatewayId, logs, deadLog, logger }));
}

/**
 * Removes the cursors of the other kind of bus, which nothing moves any more, so that they do not hold records forever:
 * those of the services with Redis, that of the relay without. Bridges keep theirs in both cases.
 */
function removeOtherCursors(log: Log, withRedis: boolean): void {
	for (const name of log.cursors().keys()) {
		const isOther = withRedis ? name.startsWith('group:') : name === 'relay';
		if (isOther) log.cursor(name).remove();
	}
}
