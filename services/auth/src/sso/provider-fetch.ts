import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { SsoReach } from '../settings.ts';

const MOST_BYTES = 512 * 1024;

/** Addresses that are not of the public internet (RFC 6890). */
const inside = new BlockList();
for (const [network, bits] of [
	['0.0.0.0', 8],
	['10.0.0.0', 8],
	['100.64.0.0', 10],
	['127.0.0.0', 8],
	['169.254.0.0', 16],
	['172.16.0.0', 12],
	['192.0.0.0', 24],
	['192.168.0.0', 16],
	['198.18.0.0', 15],
	['224.0.0.0', 3],
] as const)
	inside.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
	['::', 96],
	['64:ff9b::', 96],
	['fc00::', 7],
	['fe80::', 10],
	['ff00::', 8],
] as const)
	inside.addSubnet(network, bits, 'ipv6');

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/**
 * Why auth may not ask this URL, or undefined: a domain's admin chooses the provider, and the provider its own
 * endpoints, so both are kept from reaching what stands behind auth. (A name that resolves to another address a moment
 * later still meets TLS, which no inner service would pass for it.)
 */
export async function unreachable(url: URL, reach: SsoReach): Promise<string | undefined> {
	if (url.username || url.password) return 'must not hold a password';
	if (reach === 'loopback' && LOOPBACK.includes(url.hostname)) return undefined;
	if (url.protocol !== 'https:') return 'must begin with https://';
	if (reach !== 'public') return undefined;
	const host = url.hostname.replace(/^\[|\]$/g, '');
	try {
		const addresses = isIP(host) ? [{ address: host }] : await lookup(host, { all: true });
		return addresses.some(({ address }) => isInside(address))
			? 'must not stand at a private address (SSO_REACH)'
			: undefined;
	} catch {
		return 'cannot be found by its name';
	}
}

function isInside(address: string): boolean {
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
	const plain = mapped ?? address;
	return inside.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * `fetch` for a provider: only where `reach` allows, without following redirects, and with answers of half a MiB at
 * most.
 */
export function providerFetch(reach: SsoReach): (url: string, options: RequestInit) => Promise<Response> {
	return async (url, options) => {
		const reason = await unreachable(new URL(url), reach);
		if (reason) throw new CrowdVisionError('unavailable', `The provider names a URL that ${reason}`);
		const response = await fetch(url, { ...options, redirect: 'manual' });
		const chunks: Uint8Array[] = [];
		let bytes = 0;
		for await (const chunk of response.body ?? []) {
			bytes += chunk.byteLength;
			if (bytes > MOST_BYTES)
				throw new CrowdVisionError('unavailable', 'The provider answered with more than is sensible');
			chunks.push(chunk);
		}
		const bare = [101, 204, 205, 304].includes(response.status);
		return new Response(bare ? null : Buffer.concat(chunks), { status: response.status, headers: response.headers });
	};
}
