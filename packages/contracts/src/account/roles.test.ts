import { describe, expect, it } from 'vitest';
import { domainCovers, PLATFORM, ROLES, type Role, weightIn } from './roles.ts';

const NAMES = ['a', 'a/b', 'a/b/c', 'ab', 'a.b', 'b', 'b/a', '7', '__proto__', 'constructor', PLATFORM];
const frozen = <T extends object>(items: T[]) => Object.freeze(items.map((item) => Object.freeze(item)));

describe('the weight of memberships', () => {
	it('is that of the highest role in the domain or above it, with and without an index', () => {
		for (const domainName of NAMES) {
			for (const other of NAMES) {
				const memberships: { domainName: string; role: Role }[] = [
					{ domainName, role: 'business_staff' },
					{ domainName: other, role: 'standard_customer' },
				];
				for (const name of NAMES) {
					const expected = domainCovers(domainName, name)
						? ROLES.business_staff
						: domainCovers(other, name)
							? ROLES.standard_customer
							: 0;
					expect(weightIn(memberships, [name]), `${domainName} and ${other} in ${name}`).toBe(expected);
					expect(weightIn(frozen(memberships), [name]), `${domainName} and ${other} in ${name}`).toBe(expected);
				}
			}
		}
		for (const memberships of [[], frozen([])]) expect(weightIn(memberships, ['a'])).toBe(0);
		expect(weightIn(frozen([{ domainName: PLATFORM, role: 'admin' as const }]), [])).toBe(0);
	});

	it('does not extend to a domain whose name only begins alike', () => {
		expect(domainCovers('a', 'ab')).toBe(false);
		expect(domainCovers('a', 'a.b')).toBe(false);
		expect(domainCovers('a', 'a/b')).toBe(true);
		expect(domainCovers('a/b', 'a')).toBe(false);
		expect(domainCovers(PLATFORM, 'a/b')).toBe(true);
	});
});
