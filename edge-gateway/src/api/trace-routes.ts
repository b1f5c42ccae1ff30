/** The HTTP routes that trace and explain what became of a device's messages. */
import {
	CrowdVisionError,
	type Explanation,
	PLATFORM,
	ROLES,
	TRACE_LIMIT,
	TRACE_MINUTES,
	tenantOf,
	traceQuery,
	weightIn,
} from '@crowdvision/contracts';
import { callerOf, parseBody, type Request, type Router } from '@crowdvision/service-kit';
import { ambiguousSensor } from '../devices/placement.ts';
import type { Registry } from '../registry.ts';
import type { Trace } from '../trace/trace.ts';
import type { Explainer } from '../why/explainer.ts';
import { ofTenant } from '../why/explanation.ts';
import { mayLookAt } from './access.ts';

export interface TraceRouteParts {
	trace: Trace;
	explainer: Explainer;
	registry: Registry;
}

/**
 * `GET /trace`, behind a guard that lets staff through: what became of a device's messages. Also follows them from now
 * on.
 */
export function addTraceRoutes(router: Router, { trace, explainer, registry }: TraceRouteParts): void {
	router.get('/trace', async (request, response) => {
		const { minutes, limit, domain, ...question } = parseBody(traceQuery, request.query);
		if (question.id !== undefined && Object.keys(question).length > 1)
			throw new CrowdVisionError('invalid', '/id cannot be combined with other parameters', { path: '/id' });
		const now = Date.now();
		const { id, ...filter } = question;
		if (id === undefined && Object.keys(filter).length > 0)
			trace.watch(filter, now + (minutes === undefined ? TRACE_MINUTES.default : Number(minutes)) * 60_000, now);
		const explained = await explainer.explain(
			question,
			limit === undefined ? TRACE_LIMIT.default : Number(limit),
			visibleTo(request, registry, domain),
		);
		const owners = explained.messages.flatMap(({ domains }) => domains.filter((name) => name !== PLATFORM));
		if (question.sensor !== undefined && new Set(owners.map(tenantOf)).size > 1) throw ambiguousSensor(owners);
		const until = trace.watchedUntil(filter);
		// Ports and bridges belong to the machine: not every tenant may know what is wrong with them.
		const troubles = mayLookAt(request, registry, undefined) ? explained.troubles : [];
		const messages = explained.messages.map(({ domains, ...message }) => message);
		response.json({
			...explained,
			troubles,
			messages,
			...(until !== undefined && { followedUntil: until }),
		} satisfies Explanation);
	});
}

function visibleTo(
	request: Request,
	registry: Registry,
	asked: string | undefined,
): (domains: readonly string[]) => boolean {
	const { memberships } = callerOf(request);
	const isAsked = ofTenant(asked);
	return (domains) => {
		if (!isAsked(domains)) return false;
		return domains.length === 0
			? mayLookAt(request, registry, undefined)
			: weightIn(memberships, domains) >= ROLES.business_staff;
	};
}
