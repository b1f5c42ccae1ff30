import type { Bus, Subscription } from '@crowdvision/bus';
import { type Alert, CHANNELS } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Knowledge } from './knowledge.ts';

/** Writes the anomaly log from what notification announces. */
export function followNotifications(bus: Bus, knowledge: Knowledge, logger: Logger): Promise<Subscription> {
	return bus.listen(CHANNELS.notifications, (message) => {
		record(message, knowledge).catch((error: unknown) => logger.error({ err: error }, 'an alert could not be kept in the anomaly log'));
	});
}

async function record(message: string, knowledge: Knowledge): Promise<void> {
	const alert = JSON.parse(message) as Alert;
	await knowledge.record({
		id: alert.id,
		building: alert.buildingId,
		room: alert.roomId ?? null,
		kind: alert.kind,
		state: alert.state,
		value: alert.value ?? null,
		threshold: alert.limit ?? null,
		observed_at: Math.round(alert.observedAt),
		message: alert.message,
	});
}
