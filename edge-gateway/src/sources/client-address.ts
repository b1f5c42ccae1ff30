import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';

/**
 * Returns a function that finds the network address of a request's client: the one that a proxy forwarded, if the proxy
 * is among the trusted ones (TRUST_PROXY), else the address of the connection.
 */
export function clientAddress(trustProxy: readonly string[]): (request: IncomingMessage) => string {
	const trusted = proxyAddress.compile([...trustProxy]);
	return (request) => proxyAddress(request, trusted);
}
