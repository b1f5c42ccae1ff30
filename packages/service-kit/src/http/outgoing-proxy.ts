import http from 'node:http';

/** Hosts that are never asked for through a proxy: this machine. */
const OWN = 'localhost,127.0.0.1,::1,[::1]';

/**
 * Sends requests of this process to others, by `fetch` or node:http, through the proxy that HTTPS_PROXY and HTTP_PROXY
 * name, also in lower case, except for the hosts in NO_PROXY and this machine. Without those variables nothing changes.
 * @returns a function that undoes it
 */
export function useOutgoingProxy(env: NodeJS.ProcessEnv): () => void {
	const value = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
	const [plain, encrypted, none] = [value('HTTP_PROXY'), value('HTTPS_PROXY'), value('NO_PROXY')];
	if (plain === undefined && encrypted === undefined) return () => undefined;
	return http.setGlobalProxyFromEnv({
		...(plain !== undefined && { HTTP_PROXY: plain }),
		...(encrypted !== undefined && { HTTPS_PROXY: encrypted }),
		NO_PROXY: none === undefined ? OWN : `${none},${OWN}`,
	});
}

/** Whether a proxy of `env` is asked for this URL, so that it resolves the host's name and not this machine. */
export function goesThroughProxy(url: URL, env: NodeJS.ProcessEnv): boolean {
	const value = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
	if (value(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') === undefined) return false;
	const host = url.hostname.toLowerCase();
	const exempt = `${value('NO_PROXY') ?? ''},${OWN}`.split(/[\s,]+/).filter((entry) => entry !== '');
	return !exempt.some((entry) => {
		const name = entry
			.toLowerCase()
			.replace(/^\*?\./, '')
			.replace(/:\d+$/, '');
		return entry === '*' || host === name || host.endsWith(`.${name}`);
	});
}
