import { type Alert, idInKey, maintenanceAt, quietBelow } from '@crowdvision/contracts';
import type { BuildingDirectory } from '@crowdvision/service-kit';
import type { Circumstances } from '../recipients/rows-for.ts';
import type { Policies } from './policies.ts';

/** What the policy of an alert's building says about calling people at a moment. */
export function circumstancesOf(
	policies: Pick<Policies, 'of'>,
	directory: Pick<BuildingDirectory, 'get'>,
	{ buildingId, roomId }: Pick<Alert, 'buildingId' | 'roomId'>,
	at: number,
): Circumstances {
	const policy = policies.of(buildingId);
	const zone = directory.get(buildingId)?.timeZone ?? 'UTC';
	const quiet = quietBelow(policy, zone, at);
	const isMaintained =
		maintenanceAt(policy, zone, at, roomId === undefined ? undefined : idInKey(roomId)) !== undefined;
	return { ...(quiet && { quietBelow: quiet }), ...(isMaintained && { maintenance: true }) };
}
