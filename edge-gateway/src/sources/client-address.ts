import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';

/**
 * Whose address counts for a request: the one that a proxy names, where the proxy is among those believed
 * (TRUST_PROXY).
 */
export function clientAddress(trustProxy: readonly string[]): (request: IncomingMessage) => string {
	const trusted = proxyAddress.compile([...trustProxy]);
	return (request) => proxyAddress(request, trusted);
}
