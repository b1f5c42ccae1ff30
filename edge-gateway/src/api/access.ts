import { CrowdVisionError, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import { callerOf, type Request, type RequestHandler } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';

/** Lets through who is staff anywhere; what each may see is decided thing by thing. */
export const staffOnly: RequestHandler = (request, _response, next) => {
	if (!hasRole(request, 'business_staff'))
		throw new CrowdVisionError('forbidden', 'This needs the role business_staff or a higher one');
	next();
};

/** Whether the caller is staff of this domain. What has none, such as a port of this machine, is the machine's own. */
export function mayLookAt(request: Request, registry: Registry, domainName: string | undefined): boolean {
	if (domainName === undefined) return isOfMachine(request, registry, 'business_staff');
	return weightIn(callerOf(request).memberships, [domainName]) >= ROLES.business_staff;
}

/**
 * Whether the caller has this role, or a higher one, on the machine itself: its ports, its bridges, its configuration.
 * Where buildings of one top-level domain only are known, or of none yet, the machine is that domain's. Where several
 * share it, it is none of theirs, but the platform's admins'.
 */
export function isOfMachine(request: Request, registry: Registry, role: Role): boolean {
	return hasRole(request, registry.isShared ? 'admin' : role);
}

function hasRole(request: Request, least: Role): boolean {
	return callerOf(request).memberships.some(({ role }) => ROLES[role] >= ROLES[least]);
}
