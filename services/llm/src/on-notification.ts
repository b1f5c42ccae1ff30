import type { Bus, Subscription } from '@crowdvision/bus';
import { type Alert, CHANNELS } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { Knowledge } from './knowledge/knowledge.ts';

const MOST_WAITING = 10_000;

/** Writes the anomaly log from what notification announces, in that order. */
export function followNotifications(bus: Bus, knowledge: Knowledge, logger: Logger): Promise<Subscription> {
	const queue = new SerialQueue(MOST_WAITING);
	return bus.listen(CHANNELS.notifications, (message) => {
		queue
			.run(() => record(message, knowledge))
			.catch((error: unknown) => logger.error({ err: error }, 'an alert could not be kept in the anomaly log'));
	});
}

async function record(message: string, knowledge: Knowledge): Promise<void> {
	const { id, buildingId, roomId, kind, state, value, limit, observedAt, message: text } = JSON.parse(message) as Alert;
	await knowledge.record({
		id,
		buildingId,
		...(roomId !== undefined && { roomId }),
		kind,
		state,
		...(value !== undefined && { value }),
		...(limit !== undefined && { limit }),
		observedAt,
		message: text,
	});
}
