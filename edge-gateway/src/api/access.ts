/** Which accounts may see what: their domains, and the machine itself. */
import { CrowdVisionError, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import { callerOf, type Request, type RequestHandler } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';

/** Lets staff of any domain through; what they may see is decided for each item. */
export const staffOnly: RequestHandler = (request, _response, next) => {
	if (!hasRole(request, 'business_staff'))
		throw new CrowdVisionError('forbidden', 'This needs the role business_staff or a higher one');
	next();
};

/** Whether the caller is staff of this domain. What has no domain, such as a port, belongs to the machine. */
export function mayLookAt(request: Request, registry: Registry, domainName: string | undefined): boolean {
	if (domainName === undefined) return hasMachineRole(request, registry, 'business_staff');
	return weightIn(callerOf(request).memberships, [domainName]) >= ROLES.business_staff;
}

/**
 * Whether the caller has this role, or a higher one, for the machine itself: its ports, bridges and configuration. A
 * machine whose buildings all belong to one top-level domain, or that knows no building yet, belongs to that domain.
 * One that several domains share belongs to none of them, but to the admins of the platform.
 */
export function hasMachineRole(request: Request, registry: Registry, role: Role): boolean {
	return hasRole(request, registry.isShared ? 'admin' : role);
}

function hasRole(request: Request, least: Role): boolean {
	return callerOf(request).memberships.some(({ role }) => ROLES[role] >= ROLES[least]);
}
