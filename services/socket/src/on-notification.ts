import type { Bus, Subscription } from '@crowdvision/bus';
import { Alert, CHANNELS, validator } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards.ts';

const alert = validator(Alert);

/** Hands what is announced on `notifications` to the members of the domains it names. */
export function followNotifications(bus: Bus, dashboards: Dashboards, logger: Logger): Promise<Subscription> {
	return bus.listen(CHANNELS.notifications, (message) => {
		try {
			const value: unknown = JSON.parse(message);
			if (!alert.check(value)) throw new Error(`${alert.problem(value)?.path} ${alert.problem(value)?.message}`);
			dashboards.tell(value.domainNames, (socket) => socket.emit('notification', value));
		} catch (error) {
			logger.warn({ err: error }, 'what was announced is no alert');
		}
	});
}
