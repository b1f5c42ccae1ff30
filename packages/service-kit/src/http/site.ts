import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';
import { type Forwarded, forwardedOf } from './forwarded.ts';

type Request = Pick<IncomingMessage, 'headers' | 'socket'>;

export interface SiteOptions {
	/** Proxies whose word counts (TRUST_PROXY). Default: those of this machine. */
	trustProxy?: readonly string[];
	/** PUBLIC_URL: where browsers find this site, as `https://crowd.example/crowd`; without a slash at the end. */
	publicUrl?: string | undefined;
}

const NOTHING: Forwarded = { addresses: [], hosts: [] };

/** Where browsers find this installation, and who sends a request, seen through the proxies in front of it. */
export class Site {
	readonly trustProxy: readonly string[];
	readonly #trusts: (address: string, hop: number) => boolean;
	readonly #publicUrl: URL | undefined;

	constructor({ trustProxy = ['loopback'], publicUrl }: SiteOptions = {}) {
		this.trustProxy = trustProxy;
		this.#trusts = proxyAddress.compile([...trustProxy]);
		this.#publicUrl = publicUrl === undefined ? undefined : new URL(publicUrl);
	}

	/**
	 * The network address of the client: the last one on the request's way that no trusted proxy has. IPv4 addresses are
	 * written as such, also on a socket of both kinds.
	 */
	addressOf(request: Request): string {
		let address = request.socket.remoteAddress ?? '';
		for (const before of forwardedOf(request.headers).addresses.reverse()) {
			if (before === undefined || !this.#trusts(address, 0)) break;
			address = before;
		}
		return plainAddress(address);
	}

	/**
	 * As express's `request.ip` in an app of this site: as `addressOf`, but an IPv4 address on a socket of both kinds is
	 * written as IPv6. Undefined once the connection is gone.
	 */
	expressAddressOf(request: IncomingMessage): string | undefined {
		const { headers, socket } = request;
		if (headers['x-forwarded-for'] === undefined && headers.forwarded === undefined) return socket.remoteAddress;
		this.canonicalize(request);
		return proxyAddress(request, this.#trusts);
	}

	/** PUBLIC_URL without a slash at the end; undefined where it is not set. */
	get publicUrl(): string | undefined {
		return this.#publicUrl?.href.replace(/\/$/, '');
	}

	/** The URL of this installation as the client of a request knows it, without a slash at the end. */
	urlOf(request: Request): string {
		if (this.publicUrl !== undefined) return this.publicUrl;
		const { hosts, protocol, prefix = '' } = this.#forwarded(request);
		const own = 'encrypted' in request.socket ? 'https' : 'http';
		return `${protocol ?? own}://${hosts[0] ?? request.headers.host ?? 'localhost'}${prefix}`;
	}

	/**
	 * As `urlOf`, but whoever sends the request has no say in it: PUBLIC_URL, else the address at which the request
	 * arrived. For links that go to somebody else, who must not be led to a site that a stranger named as `Host`.
	 */
	certainUrlOf(request: Request): string {
		if (this.#publicUrl) return this.urlOf(request);
		const { localAddress = '127.0.0.1', localPort = 80 } = request.socket;
		const address = plainAddress(localAddress);
		return `http://${address.includes(':') ? `[${address}]` : address}:${localPort}`;
	}

	/**
	 * The path below which the client of a request finds this installation, with a slash at both ends: that of
	 * PUBLIC_URL, else the one that a proxy says it has stripped. `/` for whoever comes by another way than PUBLIC_URL.
	 */
	pathOf(request: Request): string {
		const { hosts, prefix } = this.#forwarded(request);
		if (prefix !== undefined) return `${prefix}/`;
		const names = [...hosts, request.headers.host, hostOf(request.headers.origin)];
		const url = this.#publicUrl;
		if (!url || !names.some((name) => name !== undefined && sameHost(url, name))) return '/';
		return url.pathname.replace(/\/?$/, '/');
	}

	/** Whether the client speaks HTTPS to this installation or to a proxy in front of it. */
	isSecure(request: Request): boolean {
		if ('encrypted' in request.socket || this.#forwarded(request).protocol === 'https') return true;
		// A proxy that does not say so: the browser does, or PUBLIC_URL.
		const { origin } = request.headers;
		return origin !== undefined ? origin.startsWith('https://') : this.#publicUrl?.protocol === 'https:';
	}

	/**
	 * Whether the page that a browser sends a request for is of this site, or it does not say. Default ports and case
	 * make no difference.
	 */
	isOwnOrigin(request: Request): boolean {
		const { origin, host, 'sec-fetch-site': relation } = request.headers;
		// Scripts cannot set it.
		if (origin === undefined || relation === 'same-origin') return true;
		if (!URL.canParse(origin)) return false;
		const from = new URL(origin);
		const { hosts, port } = this.#forwarded(request);
		const names = [host, this.#publicUrl?.host, ...hosts, ...(port ? hosts.map((name) => `${name}:${port}`) : [])];
		return names.some((name) => name !== undefined && sameHost(from, name));
	}

	/** Writes what trusted proxies say in the form in which express reads it; takes away what others say. */
	canonicalize({ headers, socket }: Request): void {
		if (!this.#trusts(socket.remoteAddress ?? '', 0)) return;
		const { addresses, hosts, protocol } = forwardedOf(headers);
		// What stands before an entry that is no address cannot be relied on.
		const known = addresses.slice(addresses.lastIndexOf(undefined) + 1);
		if (addresses.length > 0) headers['x-forwarded-for'] = known.join(', ');
		if (hosts[0] !== undefined) headers['x-forwarded-host'] = hosts[0];
		if (protocol) headers['x-forwarded-proto'] = protocol;
	}

	#forwarded({ headers, socket }: Request): Forwarded {
		return this.#trusts(socket.remoteAddress ?? '', 0) ? forwardedOf(headers) : NOTHING;
	}
}

/** An IPv4 address as such, also from a socket of both kinds. */
const plainAddress = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '');

const hostOf = (origin: string | undefined) =>
	origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined;

/** Whether `host`, as a header names it, is that of the URL. */
function sameHost(url: URL, host: string): boolean {
	const text = `${url.protocol}//${host}`;
	return URL.canParse(text) && new URL(text).host.replace(/\.(?=:|$)/, '') === url.host.replace(/\.(?=:|$)/, '');
}
