import type { Bus, Subscription } from '@crowdvision/bus';
import { type AccountClaims, Alert, CHANNELS, validator, weightIn } from '@crowdvision/contracts';
import type { BuildingDirectory, Logger } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';

const alert = validator(Alert);

export interface NotificationParts {
	bus: Bus;
	dashboards: Dashboards;
	directory: BuildingDirectory;
	logger: Logger;
}

/** Sends announced alerts to the dashboards that may see them. */
export function followNotifications({ bus, dashboards, directory, logger }: NotificationParts): Promise<Subscription> {
	return bus.listen(CHANNELS.notifications, (message) => {
		try {
			const value: unknown = JSON.parse(message);
			if (!alert.check(value)) throw new Error(`${alert.problem(value)?.path} ${alert.problem(value)?.message}`);
			dashboards.send(
				(memberships) => maySee(value, memberships, directory),
				(some) => some.emit('notification', value),
			);
		} catch (error) {
			logger.warn({ err: error }, 'an invalid alert was announced');
		}
	});
}

/**
 * Whether an account may see an alert: it is a member of a domain that the alert names, and it may see the building,
 * whose owners may have changed since. A manual alert may concern no known building; any other alert of an unknown
 * building is visible to nobody.
 */
function maySee(alert: Alert, memberships: AccountClaims['memberships'], directory: BuildingDirectory): boolean {
	const { domainNames, buildingId, kind } = alert;
	if (weightIn(memberships, domainNames) === 0) return false;
	const building = directory.get(buildingId);
	if (!building) return kind === 'manual';
	// An alert of an earlier building or room of these ids may be announced late.
	return directory.isCurrent(alert) && weightIn(memberships, building.domains) > 0;
}
