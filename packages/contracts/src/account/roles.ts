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

type Memberships = readonly { domainName: string; role: Role }[];

/** What memberships give, by domain, and what they give everywhere. */
interface Weights {
	everywhere: number;
	/**
	 * An object, not a Map: property names are held once in a process, so that a look-up need not read the names that
	 * this token brought.
	 */
	byDomain: Readonly<Record<string, number>>;
}

/** By the memberships of a verified token, which are frozen: what is looked up does not depend on how many they are. */
const indexes = new WeakMap<Memberships, Weights>();

/** The highest weight these memberships give in any of `domainNames`; 0 for none. */
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

/** Looks for each domain and for those above it. */
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
