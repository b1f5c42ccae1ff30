import { BlockList, isIP } from 'node:net';

/** IPv4 networks that are not reachable from everywhere, or are not single hosts (IANA special-purpose registry). */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
	['0.0.0.0', 8],
	['10.0.0.0', 8],
	['100.64.0.0', 10],
	['127.0.0.0', 8],
	['169.254.0.0', 16],
	['172.16.0.0', 12],
	['192.0.0.0', 24],
	['192.0.2.0', 24],
	['192.88.99.0', 24],
	['192.168.0.0', 16],
	['198.18.0.0', 15],
	['198.51.100.0', 24],
	['203.0.113.0', 24],
	['224.0.0.0', 3],
];
/** Within 2000::/3, which is all that is assigned: protocol assignments and Teredo, documentation, 6to4. */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
	['2001::', 23],
	['2001:db8::', 32],
	['2002::', 16],
	['3fff::', 20],
];

const special = new BlockList();
for (const [network, bits] of SPECIAL_IPV4) special.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of SPECIAL_IPV6) special.addSubnet(network, bits, 'ipv6');
const assigned = new BlockList();
assigned.addSubnet('2000::', 3, 'ipv6');

/**
 * The address in one spelling: an IPv4 address inside an IPv6 one (::ffff:127.0.0.1) as such, IPv6 as WHATWG URLs
 * write it, without brackets and zone. Undefined for what is no address.
 */
export function canonicalAddress(text: string): string | undefined {
	const bare = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
	if (isIP(bare) === 4) return bare;
	if (isIP(bare) !== 6) return undefined;
	const short = new URL(`http://[${bare}]`).hostname.slice(1, -1);
	const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
	if (!mapped) return short;
	const bytes = Buffer.from(
		mapped
			.slice(1)
			.map((part) => part.padStart(4, '0'))
			.join(''),
		'hex',
	);
	return [...bytes].join('.');
}

/** Whether an address is on the public internet; false for what is no address. */
export function isPublicAddress(text: string): boolean {
	const address = canonicalAddress(text);
	if (address === undefined) return false;
	if (isIP(address) === 4) return !special.check(address, 'ipv4');
	return assigned.check(address, 'ipv6') && !special.check(address, 'ipv6');
}
