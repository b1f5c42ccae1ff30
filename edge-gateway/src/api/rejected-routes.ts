/** The HTTP routes to list rejected messages and to replay them. */
import {
	REJECTED_LIST_LIMIT,
	type RejectedPage,
	type Rejection,
	type Replayed,
	rejectedListQuery,
	replayRequest,
} from '@crowdvision/contracts';
import {
	jsonBody,
	nextCursorOf,
	pageOf,
	parseBody,
	type Request,
	type Router,
	timeOfQuery,
} from '@crowdvision/service-kit';
import type { Ledger } from '../ledger/ledger.ts';
import type { Registry } from '../registry.ts';
import type { Rejected } from '../rejected/rejected.ts';
import type { Replay } from '../sources/replay/replay.ts';
import { mayLookAt } from './access.ts';

export interface RejectedRouteParts {
	rejected: Rejected;
	replay: Replay;
	ledger: Ledger;
	registry: Registry;
}

/** `GET /rejected` and `POST /rejected/replay`, behind a guard that lets staff through. */
export function addRejectedRoutes(router: Router, { rejected, replay, ledger, registry }: RejectedRouteParts): void {
	router.get('/rejected', async (request, response) => {
		const { since, state = 'open', before, cursor: _, limit, ...filter } = parseBody(rejectedListQuery, request.query);
		const { after } = pageOf(request, ['number'], REJECTED_LIST_LIMIT);
		const query = {
			...filter,
			state,
			since: timeOfQuery(since, '/since'),
			before: before === undefined ? after?.[0] : Number(before),
		};
		const most = limit === undefined ? REJECTED_LIST_LIMIT.default : Number(limit);
		const found = await rejected.list(query, most, visibleTo(request, registry));
		const last = found.length === most ? found.at(-1)!.id : undefined;
		const next = last === undefined ? {} : { next: last, ...nextCursorOf([last]) };
		response.json({ rejected: found, ...next, counts: ledger.summary() } satisfies RejectedPage);
	});
	router.post('/rejected/replay', jsonBody(), async (request, response) => {
		const wanted = parseBody(replayRequest, request.body);
		const selection =
			'ids' in wanted
				? wanted
				: { filter: { ...wanted.filter, since: timeOfQuery(wanted.filter.since, '/filter/since') } };
		const replayed: Replayed[] = await replay.replay(selection, visibleTo(request, registry));
		response.json({ replayed });
	});
}

function visibleTo(request: Request, registry: Registry): (rejection: Rejection) => boolean {
	return ({ domainName }) => mayLookAt(request, registry, domainName);
}
