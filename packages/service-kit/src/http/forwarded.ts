import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** What the proxies on a request's way say about it. Every field is absent where none says so. */
export interface Forwarded {
	/** Addresses that the request came through, the client first. Entries that are no IP address are undefined. */
	addresses: (string | undefined)[];
	/** Host as the client named it, with the port where it named one. The first is the outermost proxy's. */
	hosts: string[];
	/** `http` or `https`, between the client and the outermost proxy. */
	protocol?: 'http' | 'https';
	/** Port that the client connected to. */
	port?: string;
	/** Path that a proxy stripped, as `/crowd`. */
	prefix?: string;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const UNQUOTED = /[^\s;,"]*/y;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;
const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)+\/?$/;

/**
 * Reads the X-Forwarded-* headers or, where there are none of For, Host and Proto, `Forwarded` (RFC 7239). Never both:
 * a proxy that sets the one kind passes the other on as its client sent it.
 */
export function forwardedOf(headers: IncomingHttpHeaders): Forwarded {
	const list = (name: string) => listOf(headers[name]);
	const older = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'].some((name) => headers[name]);
	const elements = older ? [] : parseForwarded(text(headers.forwarded));
	const of = (key: string) => elements.flatMap((element) => element.get(key) ?? []);
	const hosts = (older ? list('x-forwarded-host') : of('host')).filter((host) => HOST.test(host));
	const protocol = protocolOf(headers, older ? list('x-forwarded-proto') : of('proto'));
	const port = list('x-forwarded-port')[0];
	const prefix = list('x-forwarded-prefix')[0];
	return {
		addresses: (older ? list('x-forwarded-for') : of('for')).map(bareAddress),
		hosts,
		...(protocol && { protocol }),
		...(port && /^\d{1,5}$/.test(port) && { port }),
		...(prefix && PREFIX.test(prefix) && { prefix: prefix.replace(/\/$/, '') }),
	};
}

/** The protocol in any of the spellings that proxies send; Traefik reports that of a WebSocket as `wss`. */
function protocolOf(headers: IncomingHttpHeaders, [stated]: string[]): 'http' | 'https' | undefined {
	const other = [headers['x-forwarded-scheme'], headers['x-url-scheme']].map((value) => listOf(value)[0]);
	const word = [stated, ...other].find((value) => value !== undefined)?.toLowerCase();
	if (word === 'https' || word === 'wss') return 'https';
	if (word === 'http' || word === 'ws') return 'http';
	const switches = [headers['x-forwarded-ssl'], headers['front-end-https']];
	return switches.some((value) => text(value).toLowerCase() === 'on') ? 'https' : undefined;
}

/** The IP address in an entry such as `192.0.2.1:4711`, `"[2001:db8::1]:4711"` or `[2001:db8::1]`. */
function bareAddress(entry: string): string | undefined {
	const [, bracketed] = /^\[([^\]]+)\](?::\w+)?$/.exec(entry) ?? [];
	const [, withoutPort] = /^([^:]+):\w+$/.exec(entry) ?? [];
	const address = (bracketed ?? withoutPort ?? entry).replace(/%.*$/s, '');
	return isIP(address) ? address : undefined;
}

/** The elements of a `Forwarded` header, with names in lower case; none where its syntax is wrong. */
function parseForwarded(header: string): Map<string, string>[] {
	const elements: Map<string, string>[] = [new Map()];
	let at = 0;
	const take = (pattern: RegExp) => {
		pattern.lastIndex = at;
		const match = pattern.exec(header);
		if (match) at = pattern.lastIndex;
		return match;
	};
	while (at < header.length) {
		take(/[\s;]*/y);
		if (header[at] === ',') {
			elements.push(new Map());
			at++;
			continue;
		}
		if (at >= header.length) break;
		const name = take(TOKEN)?.[0].toLowerCase();
		if (name === undefined || header[at] !== '=') return [];
		at++;
		const quoted = header[at] === '"' ? take(QUOTED)?.[1]?.replace(/\\(.)/g, '$1') : undefined;
		const value = quoted ?? take(UNQUOTED)?.[0];
		if (value === undefined) return [];
		take(/\s*/y);
		if (at < header.length && header[at] !== ';' && header[at] !== ',') return [];
		if (!elements.at(-1)!.has(name)) elements.at(-1)!.set(name, value);
	}
	return elements.filter((element) => element.size > 0);
}

const text = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(',') : (value ?? ''));

const listOf = (value: string | string[] | undefined) =>
	text(value)
		.split(',')
		.map((entry) => entry.trim().replace(/^"(.*)"$/s, '$1'))
		.filter((entry) => entry !== '');
