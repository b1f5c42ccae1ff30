import { lookup as systemLookup } from 'node:dns/promises';
import http, { type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { goesThroughProxy } from '../http/outgoing-proxy.ts';
import { waitAtMost } from '../retry/back-off.ts';
import { canonicalAddress, isPublicAddress } from './addresses.ts';
import { hostOfUrl, OutboundAllow } from './outbound-allow.ts';

/** How long a whole request may take, in ms. */
const PATIENCE_MS = 10_000;
/** How long a look-up may keep somebody waiting who names a target, in ms. */
const LOOKUP_PATIENCE_MS = 2000;
/** How much of an answer is read. */
const MAX_ANSWER_BYTES = 16 * 1024;

export interface OutboundRequest {
	method?: 'GET' | 'POST' | 'PUT';
	headers?: Readonly<Record<string, string>>;
	body?: string | Uint8Array;
	signal?: AbortSignal;
	/** Default 10 s. */
	timeoutMs?: number;
	/** The operator named the target in the environment: it may be anywhere. */
	byOperator?: boolean;
}

export interface OutboundAnswer {
	status: number;
	headers: IncomingHttpHeaders;
	/** Its first 16 KiB, as text. */
	text: string;
}

/** Resolves a host name to its addresses. */
export type Resolve = (host: string) => Promise<{ address: string; family: number }[]>;

/** A target that must not be asked; the message is a predicate, as in "the URL must begin with https://". */
export class OutboundRefusal extends Error {}

export interface OutboundClientOptions {
	allow?: OutboundAllow;
	/** Default: the system's. */
	resolve?: Resolve;
	/** Where the proxy variables are. Default: the process's environment. */
	env?: NodeJS.ProcessEnv;
}

/**
 * Requests to targets that users name. Those are https and on the public internet, or named by OUTBOUND_ALLOW, so that
 * nobody reaches the services inside this network by it. The address that was checked is the one that is connected to.
 * Follows no redirect. Goes through the proxy of the environment as all requests of the process do.
 */
export class OutboundClient {
	readonly #allow: OutboundAllow;
	readonly #resolve: Resolve;
	readonly #env: NodeJS.ProcessEnv;

	constructor({ allow = new OutboundAllow(), resolve, env = process.env }: OutboundClientOptions = {}) {
		this.#allow = allow;
		this.#resolve = resolve ?? ((host) => systemLookup(host, { all: true }));
		this.#env = env;
	}

	/**
	 * Why a URL must not be asked, as a predicate; undefined where it may. A name that cannot be resolved now passes: it
	 * is checked again at each request.
	 */
	async refusalOf(text: string): Promise<string | undefined> {
		if (!URL.canParse(text)) return 'must be a URL';
		const url = new URL(text);
		const reason = this.#refusalAsWritten(url);
		if (reason !== undefined || this.#isSettled(url)) return reason;
		let refused: string | undefined;
		const looking = this.#addressesOf(hostOfUrl(url)).catch((error: unknown) => {
			if (error instanceof OutboundRefusal) refused = error.message;
		});
		await waitAtMost(LOOKUP_PATIENCE_MS, looking);
		return refused;
	}

	/**
	 * Sends a request. Resolves with any answer, also a redirect or an error.
	 * @throws OutboundRefusal; Error where there is no answer in time
	 */
	async request(text: string, request: OutboundRequest = {}): Promise<OutboundAnswer> {
		if (!URL.canParse(text)) throw new OutboundRefusal('must be a URL');
		const url = new URL(text);
		const options: RequestOptions = {
			method: request.method ?? 'POST',
			headers: { 'user-agent': 'CrowdVision', ...request.headers },
			signal: AbortSignal.any([
				AbortSignal.timeout(request.timeoutMs ?? PATIENCE_MS),
				...(request.signal ? [request.signal] : []),
			]),
		};
		const proxied = goesThroughProxy(url, this.#env);
		if (request.byOperator !== true) await this.#guard(url, options, proxied);
		// The agent of the process knows the proxy; of a direct connection nothing is shared with other requests.
		if (!proxied) options.agent = false;
		return send(url, options, request.body);
	}

	async #guard(url: URL, options: RequestOptions, proxied: boolean): Promise<void> {
		const reason = this.#refusalAsWritten(url);
		if (reason !== undefined) throw new OutboundRefusal(reason);
		if (this.#isSettled(url)) return;
		if (!proxied) {
			options.lookup = this.#pinned();
			return;
		}
		// The proxy resolves the name; only it may know the names outside.
		await this.#addressesOf(hostOfUrl(url)).catch((error: unknown) => {
			if (error instanceof OutboundRefusal) throw error;
		});
	}

	/** What can be said of a URL without resolving its name. */
	#refusalAsWritten(url: URL): string | undefined {
		if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
		if (url.username !== '' || url.password !== '') return 'must not contain a user name or password';
		if (this.#allow.names(url)) return undefined;
		if (url.protocol !== 'https:') return 'must begin with https://, unless OUTBOUND_ALLOW names its host';
		const host = hostOfUrl(url);
		const isLocal = host === 'localhost' || host.endsWith('.localhost');
		if (isLocal || (canonicalAddress(host) !== undefined && !isPublicAddress(host))) return NOT_PUBLIC;
		return undefined;
	}

	/** Whether there is no name to resolve, or it does not matter where it leads. */
	#isSettled(url: URL): boolean {
		return this.#allow.names(url) || canonicalAddress(hostOfUrl(url)) !== undefined;
	}

	/** @throws OutboundRefusal where one of them is not public; what the resolver throws */
	async #addressesOf(host: string): Promise<{ address: string; family: number }[]> {
		const addresses = await this.#resolve(host);
		if (addresses.some(({ address }) => !isPublicAddress(address))) throw new OutboundRefusal(NOT_PUBLIC);
		return addresses;
	}

	/** The look-up of a connection, which gives it checked addresses only. */
	#pinned(): LookupFunction {
		return (host, { all }, callback) => {
			this.#addressesOf(host.replace(/\.$/, '')).then(
				(addresses) => {
					const [first] = addresses;
					if (!first) callback(new Error(`${host} has no address`), '', 0);
					else if (all) callback(null, addresses);
					else callback(null, first.address, first.family);
				},
				(error: NodeJS.ErrnoException) => callback(error, '', 0),
			);
		};
	}
}

const NOT_PUBLIC = 'must lead to an address on the public internet, unless OUTBOUND_ALLOW names its host';

function send(url: URL, options: RequestOptions, body: OutboundRequest['body']): Promise<OutboundAnswer> {
	return new Promise((resolve, reject) => {
		const request = (url.protocol === 'https:' ? https : http).request(url, options, (response) => {
			const chunks: Buffer[] = [];
			let bytes = 0;
			const done = () => {
				const text = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8');
				resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
			};
			response.on('data', (chunk: Buffer) => {
				chunks.push(chunk);
				bytes += chunk.length;
				if (bytes < MAX_ANSWER_BYTES) return;
				done();
				request.destroy();
			});
			response.once('end', done);
			response.once('error', reject);
		});
		request.once('error', (error: Error) => {
			reject(error.name === 'TimeoutError' || options.signal?.aborted ? new Error('no answer in time') : error);
		});
		request.end(body);
	});
}
