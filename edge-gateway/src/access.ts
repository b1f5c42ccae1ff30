import { CrowdVisionError, ROLES, weightIn } from '@crowdvision/contracts';
import { callerOf, type Request, type RequestHandler } from '@crowdvision/service-kit';

/** Lets through who is staff anywhere; what each may see is decided thing by thing. */
export const staffOnly: RequestHandler = (request, _response, next) => {
	if (!callerOf(request).memberships.some(({ role }) => ROLES[role] >= ROLES.business_staff)) {
		throw new CrowdVisionError('forbidden', 'This needs the role business_staff or a higher one');
	}
	next();
};

/** Whether the caller is staff of this domain. What has none, such as a port of this machine, is an admin's. */
export function mayLookAt(request: Request, domainName: string | undefined): boolean {
	const { memberships } = callerOf(request);
	if (domainName === undefined) return memberships.some(({ role }) => ROLES[role] >= ROLES.business_admin);
	return weightIn(memberships, [domainName]) >= ROLES.business_staff;
}
