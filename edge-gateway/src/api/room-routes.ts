/** The HTTP routes to correct a room's count and to audit it. */
import {
	COUNT_CHANGES_LIMIT,
	type Corrected,
	type CountChange,
	CrowdVisionError,
	correctionRequest,
	generationKey,
	type Proposal,
	ROLES,
	weightIn,
} from '@crowdvision/contracts';
import {
	callerOf,
	invalid,
	jsonBody,
	parseBody,
	type Request,
	type Router,
	requireAccount,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Adjustments } from '../occupancy/adjustments.ts';
import type { AuditTrail } from '../occupancy/audit-trail.ts';
import type { Occupancy } from '../occupancy/occupancy.ts';
import type { Registry } from '../registry.ts';

/** `/rooms/{buildingId}/{roomId}`: correcting a room's count, and its audit. For staff of the building's domains. */
export function addRoomRoutes(
	router: Router,
	{
		tokens,
		registry,
		trail,
		adjustments,
		occupancy,
	}: {
		tokens: Tokens;
		registry: Registry;
		trail: AuditTrail;
		adjustments: Adjustments;
		occupancy: Pick<Occupancy, 'proposals'>;
	},
): void {
	const guard = requireAccount(tokens);

	router.post('/rooms/:buildingId/:roomId/correction', guard, jsonBody(), async (request, response) => {
		const room = roomOf(request, registry);
		const { count, note } = parseBody(correctionRequest, request.body);
		const { sub, name } = callerOf(request);
		const corrected: Corrected = await adjustments.correct(keyed(room, registry), {
			count,
			note,
			account: { id: sub, name },
		});
		response.status(201).json(corrected);
	});

	router.get('/rooms/:buildingId/:roomId/audit', guard, (request, response) => {
		const room = roomOf(request, registry);
		const { buildingId, roomId } = keyed(room, registry);
		const changes: CountChange[] = trail.of(buildingId, roomId, limitOf(request));
		const proposals: Proposal[] = occupancy.proposals(buildingId, roomId);
		const combine = registry.building(buildingId)?.rooms.find(({ id }) => id === room.roomId)?.combine?.peopleCount;
		response.json({ changes, proposals, ...(combine && { combine }) });
	});
}

/** The room by the id under which it is counted. */
function keyed(room: { buildingId: string; roomId: string }, registry: Registry) {
	const { buildingId, roomId } = room;
	return { buildingId, roomId: generationKey(roomId, registry.generationOf(buildingId, roomId)) };
}

/**
 * The room that a request names.
 * @throws CrowdVisionError `not_found` for an unknown building, one of another domain, or an unknown room; `forbidden`
 * for a caller who is not on the staff of the building
 */
function roomOf(request: Request, registry: Registry): { buildingId: string; roomId: string } {
	const { buildingId, roomId } = request.params as { buildingId: string; roomId: string };
	const building = registry.building(buildingId);
	const weight = building ? weightIn(callerOf(request).memberships, building.domains) : 0;
	if (!building || weight === 0) throw new CrowdVisionError('not_found', 'There is no such building');
	if (weight < ROLES.business_staff)
		throw new CrowdVisionError('forbidden', 'This needs the role business_staff or a higher one');
	if (!building.rooms.some(({ id }) => id === roomId))
		throw new CrowdVisionError('not_found', 'There is no such room in this building');
	return { buildingId, roomId };
}

function limitOf({ query }: Request): number {
	const { limit } = query;
	if (limit === undefined) return COUNT_CHANGES_LIMIT.default;
	const number = typeof limit === 'string' && /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
	if (number >= COUNT_CHANGES_LIMIT.minimum && number <= COUNT_CHANGES_LIMIT.maximum) return number;
	throw invalid([{ path: '/limit', message: `must be a whole number from 1 to ${COUNT_CHANGES_LIMIT.maximum}` }]);
}
