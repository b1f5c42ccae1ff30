import type { Bus, Subscription } from '@crowdvision/bus';
import { type AccountClaims, Alert, CHANNELS, validator, weightIn } from '@crowdvision/contracts';
import type { BuildingDirectory, Logger } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';

const alert = validator(Alert);

/** Hands what is announced on `notifications` to those it is meant for. */
export function followNotifications(
	bus: Bus,
	dashboards: Dashboards,
	directory: BuildingDirectory,
	logger: Logger,
): Promise<Subscription> {
	return bus.listen(CHANNELS.notifications, (message) => {
		try {
			const value: unknown = JSON.parse(message);
			if (!alert.check(value)) throw new Error(`${alert.problem(value)?.path} ${alert.problem(value)?.message}`);
			dashboards.tell(
				(memberships) => concerns(value, memberships, directory),
				(socket) => socket.emit('notification', value),
			);
		} catch (error) {
			logger.warn({ err: error }, 'what was announced is no alert');
		}
	});
}

/**
 * Members of the domains it names, who may also see the building as it is now: it may have changed hands since. What a
 * person wrote to a domain need not be about a building; any other alert of a building that is not there (any more) is
 * nobody's.
 */
function concerns(
	{ domainNames, buildingId, kind }: Alert,
	memberships: AccountClaims['memberships'],
	directory: BuildingDirectory,
): boolean {
	if (weightIn(memberships, domainNames) === 0) return false;
	const building = directory.get(buildingId);
	return building ? weightIn(memberships, building.domains) > 0 : kind === 'manual';
}
