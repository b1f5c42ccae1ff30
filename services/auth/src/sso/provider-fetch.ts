import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { CrowdVisionError } from '@crowdvision/contracts';
import { goesThroughProxy, isPublicAddress } from '@crowdvision/service-kit';
import type { SsoReach } from '../settings.ts';

/** Size of an answer. */
const MAX_BYTES = 512 * 1024;

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/**
 * Why auth must not request this URL, as the predicate of a sentence; undefined where it may. A domain's admin chooses
 * the provider, and the provider its endpoints, so neither must reach services inside auth's network. A name that
 * resolves to another address a moment later still has to pass TLS, which no internal service could do in its name.
 */
export async function refusalReason(url: URL, reach: SsoReach): Promise<string | undefined> {
	if (url.username || url.password) return 'must not contain a password';
	if (reach === 'loopback' && LOOPBACK.includes(url.hostname)) return undefined;
	if (url.protocol !== 'https:') return 'must begin with https://';
	if (reach !== 'public') return undefined;
	const host = url.hostname.replace(/^\[|\]$/g, '');
	try {
		const addresses = isIP(host) ? [{ address: host }] : await lookup(host, { all: true });
		return addresses.some(({ address }) => !isPublicAddress(address))
			? 'must not resolve to a private address (SSO_REACH)'
			: undefined;
	} catch {
		// Behind a proxy of the way out, only that may know the names outside.
		return goesThroughProxy(url, process.env) ? undefined : 'has a host name that cannot be resolved';
	}
}

/**
 * A `fetch` for identity providers: requests only URLs that `reach` allows, follows no redirect, and accepts answers of
 * at most 512 KiB. It throws CrowdVisionError `unavailable` otherwise.
 */
export function providerFetch(reach: SsoReach): (url: string, options: RequestInit) => Promise<Response> {
	return async (url, options) => {
		const reason = await refusalReason(new URL(url), reach);
		if (reason) throw new CrowdVisionError('unavailable', `The URL of the provider ${reason}`);
		const response = await fetch(url, { ...options, redirect: 'manual' });
		const chunks: Uint8Array[] = [];
		let bytes = 0;
		for await (const chunk of response.body ?? []) {
			bytes += chunk.byteLength;
			if (bytes > MAX_BYTES)
				throw new CrowdVisionError('unavailable', 'The answer of the provider is larger than 512 KiB');
			chunks.push(chunk);
		}
		const bare = [101, 204, 205, 304].includes(response.status);
		return new Response(bare ? null : Buffer.concat(chunks), { status: response.status, headers: response.headers });
	};
}

/**
 * The issuer that a provider calls itself in its configuration, where that differs from `issuer` by a slash at the end
 * at most; undefined where it does not answer so.
 */
export async function issuerAsStated(
	issuer: string,
	reach: SsoReach,
	timeoutSeconds: number,
): Promise<string | undefined> {
	const bare = (url: string) => url.replace(/\/+$/, '');
	try {
		const answer = await providerFetch(reach)(`${bare(issuer)}/.well-known/openid-configuration`, {
			signal: AbortSignal.timeout(timeoutSeconds * 1000),
		});
		const { issuer: own } = (await answer.json()) as { issuer?: unknown };
		if (typeof own !== 'string' || bare(own) !== bare(issuer)) return undefined;
		// A slash that is the whole path makes no difference.
		return new URL(own).href === new URL(issuer).href ? issuer : own;
	} catch {
		return undefined;
	}
}
