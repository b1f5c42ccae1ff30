/** The exceptions from the checks: a list that only shrinks. */
import type { LicenceException } from './licences.ts';
import type { WideLine } from './line-width.ts';
import type { Oversize } from './sizes.ts';

/** Where an exception is taken back, as the checks name it. */
export const LISTED_IN = 'scripts/checks/exceptions.ts';

const TABLE = 'a row of a Markdown table stands on one line';
const COMMAND = 'a command to paste, as npm start prints it';

/** Lines that cannot be broken, at most 50; a Markdown table counts as one. */
export const WIDE_LINES: readonly WideLine[] = [
	{ path: 'Caddyfile', begins: 'Content-Security-Policy', why: 'the value of a header stands on one line' },
	{ path: 'Caddyfile', begins: '@private path_regexp', why: 'a regular expression stands on one line' },
	{ path: 'README.md', begins: 'curl -s http', why: COMMAND },
	{ path: 'README.md', begins: 'mosquitto_pub', why: COMMAND },
	{ path: 'README.md', begins: 'TOKEN="$(cat', why: COMMAND },
	{ path: 'README.md', begins: "printf '%s", why: COMMAND },
	{ path: 'docs/decoders.md', begins: '| vendor, source |', why: TABLE },
	{ path: 'docs/bridge.md', begins: '| mosquitto.conf |', why: TABLE },
	{ path: 'docs/operations.md', begins: '| part | scales by |', why: TABLE },
	{ path: 'docs/operations.md', begins: '| you see |', why: TABLE },
	{ path: 'docs/raspberry-pi.md', begins: '| you see |', why: TABLE },
	{ path: 'docs/wire-protocol.md', begins: '| port named by |', why: TABLE },
];

/** What is still too large. Nothing is added here: an entry only shrinks, and goes when it is no longer needed. */
export const OVERSIZE: Oversize = {
	files: {},
	functions: {},
	folders: {},
};

/** Dependencies under another licence than the permissive ones. */
export const LICENCES: readonly LicenceException[] = [
	{
		name: 'lightningcss*',
		licence: 'MPL-2.0',
		why: "minifies the page's styles when Vite builds it; changed nowhere, and no part of what is shipped",
	},
	{ name: 'xmlhttprequest-ssl', licence: undefined, why: 'MIT, by the older field "licenses" of its package.json' },
];
