import { type AccountClaims, CrowdVisionError, ROLES, weightIn } from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';

export type Memberships = AccountClaims['memberships'];

/**
 * The only domain that the caller administers, as the owner of a building that names none.
 * @throws CrowdVisionError `forbidden` without one, `invalid` with several
 */
export function onlyAdministered(memberships: Memberships): string {
	const administered = memberships
		.filter(({ role }) => ROLES[role] >= ROLES.business_admin)
		.map(({ domainName }) => domainName);
	const [only] = administered;
	if (only === undefined) throw new CrowdVisionError('forbidden', 'This needs the role business_admin in a domain');
	if (administered.length === 1) return only;
	throw invalid([{ path: '/domains', message: 'is required: you administer more than one domain' }]);
}

/** @throws CrowdVisionError `forbidden` unless the caller administers all of these domains */
export function requireAdministered(memberships: Memberships, domains: readonly string[]): void {
	for (const domain of domains) {
		if (weightIn(memberships, [domain]) < ROLES.business_admin) {
			throw new CrowdVisionError('forbidden', `You are not a business_admin of "${domain}"`, { path: '/domains' });
		}
	}
}
