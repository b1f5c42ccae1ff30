/** Roles and their weights: a right that needs weight w is held by every role of weight >= w. */
export const ROLES = { admin: 100, business_admin: 80, business_staff: 60, standard_customer: 10 } as const;
export type Role = keyof typeof ROLES;

/** A domain covers itself and its subdomains; `a/b` lies below `a`. */
export function domainCovers(domain: string, candidate: string): boolean {
	return candidate === domain || candidate.startsWith(`${domain}/`);
}

/** The highest weight these memberships give in any of `domainNames`; 0 for none. */
export function weightIn(memberships: readonly { domainName: string; role: Role }[], domainNames: readonly string[]): number {
	let weight = 0;
	for (const { domainName, role } of memberships) {
		if (domainNames.some((candidate) => domainCovers(domainName, candidate))) weight = Math.max(weight, ROLES[role]);
	}
	return weight;
}
