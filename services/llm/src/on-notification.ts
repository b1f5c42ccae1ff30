import type { Bus, Subscription } from '@crowdvision/bus';
import { type Alert, CHANNELS } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { Knowledge } from './knowledge/knowledge.ts';

/** Announced alerts waiting to be stored. */
const MAX_WAITING = 10_000;

export interface NotificationParts {
	bus: Bus;
	knowledge: Knowledge;
	logger: Logger;
}

/** Stores announced alerts in the log of alerts, in the order of their announcements. */
export function followNotifications({ bus, knowledge, logger }: NotificationParts): Promise<Subscription> {
	const queue = new SerialQueue(MAX_WAITING);
	return bus.listen(CHANNELS.notifications, (message) => {
		queue
			.run(() => record(message, knowledge))
			.catch((error: unknown) => logger.error({ err: error }, 'an announced alert could not be stored'));
	});
}

async function record(message: string, knowledge: Knowledge): Promise<void> {
	const alert = JSON.parse(message) as Alert;
	const { id, buildingId, roomId, kind, state, value, limit, observedAt, message: text, generation } = alert;
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
		...(generation !== undefined && { generation }),
	});
}
