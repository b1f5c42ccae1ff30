import { BlockList, isIP } from 'node:net';
import type { Setting } from '../process/settings.ts';
import { canonicalAddress } from './addresses.ts';

interface Entry {
	/** A name, or else a network. */
	name?: string;
	network?: BlockList;
	/** Undefined: any. */
	port: number | undefined;
}

const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/;
/** `[address]`, `[network/bits]` or `[address]/bits`, or without brackets; then perhaps a port. */
const BRACKETED = /^\[([0-9a-f:.]+)(?:\/(\d{1,3}))?\](?:\/(\d{1,3}))?(?::(\d{1,5}))?$/;
const PLAIN = /^([^:/]+)(?:\/(\d{1,2}))?(?::(\d{1,5}))?$/;
const BARE_IPV6 = /^([0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*)(?:\/(\d{1,3}))?$/;

/** The host of a URL as names are compared: without the dot at the end. */
export const hostOfUrl = (url: URL): string => url.hostname.replace(/\.$/, '');
const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

/** The targets of OUTBOUND_ALLOW: those may be plain http, and at addresses that are not public. */
export class OutboundAllow {
	readonly #entries: readonly Entry[];

	/** @throws Error for an entry that is none; the setting refuses those before */
	constructor(entries: readonly string[] = []) {
		this.#entries = entries.map((text) => {
			const entry = entryOf(text);
			if (!entry) throw new Error(`${JSON.stringify(text)} is no entry of OUTBOUND_ALLOW`);
			return entry;
		});
	}

	/**
	 * Whether the list names the target of a URL. A host name must be listed itself, wherever it leads; an address or a
	 * network covers URLs that write an address.
	 */
	names(url: URL): boolean {
		const host = hostOfUrl(url);
		const port = portOf(url);
		const address = canonicalAddress(host);
		return this.#entries.some((entry) => {
			if (entry.port !== undefined && entry.port !== port) return false;
			if (address === undefined) return entry.name === host;
			return entry.network?.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') ?? false;
		});
	}
}

function entryOf(text: string): Entry | undefined {
	const entry = text.trim().toLowerCase();
	const [, bracketed, inside, after, bracketedPort] = BRACKETED.exec(entry) ?? [];
	if (bracketed !== undefined) return networkEntry(bracketed, inside ?? after, bracketedPort);
	const [, bare, bareBits] = BARE_IPV6.exec(entry) ?? [];
	if (bare !== undefined) return networkEntry(bare, bareBits, undefined);
	const [, host, bits, port] = PLAIN.exec(entry) ?? [];
	if (host === undefined) return undefined;
	if (isIP(host) !== 0 || bits !== undefined) return networkEntry(host, bits, port);
	const name = host.replace(/\.$/, '');
	// What looks like a number is an address in a URL, so it must be written as one.
	const isName = NAME.test(name) && URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name;
	return isName && isPort(port) ? { name, port: port === undefined ? undefined : Number(port) } : undefined;
}

function networkEntry(text: string, bits: string | undefined, port: string | undefined): Entry | undefined {
	const version = isIP(text);
	const address = canonicalAddress(text);
	if (version === 0 || address === undefined || !isPort(port)) return undefined;
	const width = version === 4 ? 32 : 128;
	// The bits of an IPv4 address within an IPv6 one count from its beginning.
	const prefix = (bits === undefined ? width : Number(bits)) - (version === 6 && isIP(address) === 4 ? 96 : 0);
	if (prefix < 0 || prefix > (isIP(address) === 4 ? 32 : 128)) return undefined;
	const network = new BlockList();
	network.addSubnet(address, prefix, isIP(address) === 4 ? 'ipv4' : 'ipv6');
	return { network, port: port === undefined ? undefined : Number(port) };
}

const isPort = (port: string | undefined) => port === undefined || (Number(port) > 0 && Number(port) <= 65_535);

/** The setting of a service that sends to addresses which its users name. */
export const OUTBOUND_SETTINGS = {
	OUTBOUND_ALLOW: {
		means:
			'targets of webhooks and push messages that may be plain http or not on the public internet: host names, ' +
			'addresses and networks, each with a port if wanted (hooks.lan:8080, 10.0.0.0/8, [fd00::1]:443). An address or ' +
			'a network allows URLs that write an address; a name must be listed itself',
		default: undefined,
		allowed: 'a comma-separated list of host names, addresses and networks, each with :port if wanted',
		parse: (value: string) => {
			const entries = value.split(',').map((entry) => entry.trim());
			return entries.every((entry) => entryOf(entry) !== undefined) ? entries : undefined;
		},
	} satisfies Setting<string[]> & { default: undefined },
} as const;
