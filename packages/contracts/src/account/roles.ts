/** Roles with their weights: a right that requires a weight is held by every role of at least that weight. */
export const ROLES = { admin: 100, business_admin: 80, business_staff: 60, standard_customer: 10 } as const;
export type Role = keyof typeof ROLES;

/** A membership here is a membership in every domain, for admins of the platform. No domain can have this name. */
export const PLATFORM = '*';

/** A domain covers itself and its subdomains; `a/b` is a subdomain of `a`. */
export function domainCovers(domain: string, candidate: string): boolean {
	if (!candidate.startsWith(domain)) return domain === PLATFORM;
	return candidate.length === domain.length || candidate[domain.length] === '/';
}

/** The top-level domain above a domain: a tenant, with everything below it. */
export function tenantOf(domain: string): string {
	const slash = domain.indexOf('/');
	return slash < 0 ? domain : domain.slice(0, slash);
}

type Memberships = readonly { domainName: string; role: Role }[];

/** The weights that memberships give. */
interface Weights {
	/** In every domain. */
	everywhere: number;
	/**
	 * An object rather than a Map: property names are interned in the process, so that a look-up need not compare the
	 * names that came with this token.
	 */
	byDomain: Readonly<Record<string, number>>;
}

/**
 * Indexes of frozen memberships, as verified tokens have them: the cost of a look-up does not depend on their number.
 */
const indexes = new WeakMap<Memberships, Weights>();

/** The highest weight that these memberships give in any of `domainNames`; 0 without one. */
export function weightIn(memberships: Memberships, domainNames: readonly string[]): number {
	const index = indexes.get(memberships) ?? (Object.isFrozen(memberships) ? makeIndex(memberships) : undefined);
	if (index) return indexedWeight(index, domainNames);
	let weight = 0;
	for (const { domainName, role } of memberships) {
		if (ROLES[role] > weight && domainNames.some((candidate) => domainCovers(domainName, candidate)))
			weight = ROLES[role];
	}
	return weight;
}

function makeIndex(memberships: Memberships): Weights {
	const byDomain: Record<string, number> = Object.create(null);
	for (const { domainName, role } of memberships)
		byDomain[domainName] = Math.max(byDomain[domainName] ?? 0, ROLES[role]);
	const index = { everywhere: byDomain[PLATFORM] ?? 0, byDomain };
	indexes.set(memberships, index);
	return index;
}

/** Looks up each domain and the domains above it. */
function indexedWeight({ everywhere, byDomain }: Weights, domainNames: readonly string[]): number {
	if (domainNames.length === 0) return 0;
	let weight = everywhere;
	for (const name of domainNames) {
		weight = Math.max(weight, byDomain[name] ?? 0);
		for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1))
			weight = Math.max(weight, byDomain[name.slice(0, end)] ?? 0);
	}
	return weight;
}
