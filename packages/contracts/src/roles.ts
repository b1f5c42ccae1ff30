/** Roles and their weights: a right that needs weight w is held by every role of weight >= w. */
export const ROLES = { admin: 100, business_admin: 80, business_staff: 60, standard_customer: 10 } as const;
export type Role = keyof typeof ROLES;

/** A membership here is a membership everywhere: the platform's admins have it. No domain can be called so. */
export const PLATFORM = '*';

/** A domain covers itself and its subdomains; `a/b` lies below `a`. */
export function domainCovers(domain: string, candidate: string): boolean {
	if (!candidate.startsWith(domain)) return domain === PLATFORM;
	return candidate.length === domain.length || candidate[domain.length] === '/';
}

/** The highest weight these memberships give in any of `domainNames`; 0 for none. */
export function weightIn(memberships: readonly { domainName: string; role: Role }[], domainNames: readonly string[]): number {
	let weight = 0;
	for (const { domainName, role } of memberships) {
		if (ROLES[role] <= weight) continue;
		for (const candidate of domainNames) {
			if (!domainCovers(domainName, candidate)) continue;
			weight = ROLES[role];
			break;
		}
	}
	return weight;
}
