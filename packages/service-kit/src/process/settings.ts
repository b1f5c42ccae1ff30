import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

/** The declaration of one setting; its key in the record of settings is the name of the environment variable. */
export interface Setting<T> {
	/** Its purpose, as one line of docs/settings.md. */
	means: string;
	/** The default as text; undefined: none. */
	default: string | undefined;
	/** The allowed values, as the end of the sentence "… must be". */
	allowed: string;
	secret?: boolean;
	/**
	 * May also be given as `NAME_FILE`, the path of a file that holds it: everybody who may inspect a container can read
	 * its environment.
	 */
	inFile?: boolean;
	/** Returns undefined for a value that is not allowed. */
	parse: (text: string) => T | undefined;
}

/** A setting whose type tells whether it has a default. */
export type Declared<T, D> = Setting<T> & { default: D };

type Values<S extends Record<string, Setting<unknown>>> = {
	[K in keyof S]: S[K] extends Setting<infer T>
		? S[K]['default'] extends string
			? NonNullable<T>
			: NonNullable<T> | undefined
		: never;
};

/** All mistakes in the environment, one line per setting. */
export class SettingsError extends Error {}

/**
 * Reads and validates the environment. An empty variable or file counts as absent.
 * @throws SettingsError with every invalid setting, its value (never that of a secret, nor the contents of a file) and
 * the allowed values.
 */
export function readSettings<S extends Record<string, Setting<unknown>>>(
	settings: S,
	env: NodeJS.ProcessEnv,
): Values<S> {
	const values: Record<string, unknown> = {};
	const wrong: string[] = [];
	for (const [name, setting] of Object.entries(settings)) {
		const path = setting.inFile ? env[`${name}_FILE`] : undefined;
		if (path && env[name]) {
			wrong.push(`${name} and ${name}_FILE are both set, but must not be`);
			continue;
		}
		let text: string | undefined;
		try {
			text = (path ? readFileSync(path, 'utf8').trimEnd() : env[name]) || setting.default;
		} catch (error) {
			wrong.push(`${name}_FILE is ${JSON.stringify(path)}, which cannot be read: ${(error as Error).message}`);
		}
		if (text === undefined) continue;
		const value = setting.parse(text);
		const was = path ? `is in ${JSON.stringify(path)}` : `is ${setting.secret ? 'set' : JSON.stringify(text)}`;
		if (value === undefined) wrong.push(`${name} ${was}, but must be ${setting.allowed}`);
		values[name] = value;
	}
	if (wrong.length > 0) throw new SettingsError(wrong.join('\n'));
	return values as Values<S>;
}

/** Declares a whole number from `min` to `max`. */
export function integer<D extends string | undefined>(
	means: string,
	fallback: D,
	min: number,
	max: number,
): Declared<number, D> {
	return {
		means,
		default: fallback,
		allowed: `a whole number from ${min} to ${max}`,
		parse: (text: string) =>
			/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined,
	};
}

/** Declares a text of 1 to 4096 characters that matches `test`. */
export function text<D extends string | undefined>(
	means: string,
	fallback: D,
	allowed = 'a text of 1 to 4096 characters',
	test?: RegExp,
): Declared<string, D> {
	return {
		means,
		default: fallback,
		allowed,
		parse: (value: string) => (value.length <= 4096 && (test?.test(value) ?? true) ? value : undefined),
	};
}

/** Declares a URL with one of `protocols` (as in `redis:`). */
function url<D extends string | undefined>(
	means: string,
	fallback: D,
	protocols: readonly string[],
): Declared<string, D> {
	return {
		means,
		default: fallback,
		allowed: `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
		parse: (value: string) => (URL.canParse(value) && protocols.includes(new URL(value).protocol) ? value : undefined),
	};
}

/** Declares one of several words. */
export function choice<T extends string, D extends T | undefined>(
	means: string,
	fallback: D,
	choices: readonly T[],
): Declared<T, D> {
	return {
		means,
		default: fallback,
		allowed: `one of ${choices.join(', ')}`,
		parse: (value: string) => choices.find((candidate) => candidate === value),
	};
}

/** Declares a switch: 1 or 0. */
export function flag(means: string, fallback: '0' | '1'): Declared<boolean, string> {
	return {
		means,
		default: fallback,
		allowed: '0 or 1',
		parse: (value: string) => (value === '1' ? true : value === '0' ? false : undefined),
	};
}

const RANGES = ['loopback', 'linklocal', 'uniquelocal'];

/** Declares a list of addresses, networks, or words for ranges. */
function networks(means: string, fallback: string): Declared<string[], string> {
	return {
		means,
		default: fallback,
		allowed:
			'none, or a comma-separated list of loopback, linklocal, uniquelocal (private networks), addresses and ' +
			'networks such as 10.0.0.0/8',
		parse: (value: string) => {
			const parts = value.split(',').map((part) => part.trim());
			if (value === 'none') return [];
			return parts.every((part) => RANGES.includes(part) || isNetwork(part)) ? parts : undefined;
		},
	};
}

/** Whether the text is an IP address, or a network as `address/prefix length`. */
function isNetwork(text: string): boolean {
	const [, address = '', bits = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
	const version = isIP(address);
	return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}

/** Settings that every process shares; a service adds its own. */
export const COMMON_SETTINGS = {
	PORT: integer('HTTP port; 0 chooses a free one', '8080', 0, 65_535),
	HOST: {
		means: 'address to listen on, :: and 0.0.0.0 for all; the default accepts connections from this machine only',
		default: '127.0.0.1',
		allowed: 'an IP address, also with a zone as in fe80::1%eth0, or a host name',
		parse: (value: string) => {
			const host = value.replace(/^\[(.*)\]$/, '$1');
			const isAddress = isIP(host.replace(/%[A-Za-z0-9._~-]+$/, '')) === 6 || isIP(host) === 4;
			return isAddress || /^(?!\d+(?:\.\d+)*$)[A-Za-z0-9._-]+$/.test(host) ? host : undefined;
		},
	} satisfies Setting<string>,
	DATA_DIR: text('folder for all stored data', './data'),
	REDIS_URL: {
		...url('Redis for the bus; without it the bus is in this process', undefined, ['redis:', 'rediss:']),
		inFile: true,
	},
	MONGO_URL: {
		...url(
			'MongoDB (a replica set of at least one member) for stored data; without it: SQLite in DATA_DIR',
			undefined,
			['mongodb:', 'mongodb+srv:'],
		),
		secret: true,
	},
	JWT_SECRET: {
		...text(
			'shared secret that signs and verifies tokens; generated into DATA_DIR if absent',
			undefined,
			'at least 32 characters',
			/^.{32,}$/s,
		),
		secret: true,
		inFile: true,
	},
	JWT_SECRET_PREVIOUS: {
		...text(
			'the previous shared secret, which still verifies tokens while JWT_SECRET is being changed',
			undefined,
			'at least 32 characters',
			/^.{32,}$/s,
		),
		secret: true,
		inFile: true,
	},
	JWT_SIGNING: choice(
		'secret: tokens are signed and verified by JWT_SECRET; keypair: signed by auth alone, verified by its public keys',
		'secret',
		['secret', 'keypair'],
	),
	DEVICE_TOKEN_MAX_DAYS: integer(
		"longest validity of a device's token in days; a token for longer is refused, and none is made for longer. Those " +
			'of people are made for three hours and refused above 24',
		'3653',
		1,
		36_525,
	),
	TRUST_PROXY: networks(
		'proxies whose X-Forwarded-* or Forwarded headers are believed; list only your own, or a client can pass for ' +
			'another one',
		'loopback',
	),
	PUBLIC_URL: {
		means:
			'where browsers find this site, with the path where a proxy serves it below one; default: the host of a request',
		default: undefined,
		allowed: 'a URL such as https://crowd.example or https://example.org/crowd',
		parse: (value: string) =>
			/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/.test(value) && URL.canParse(value) ? value.replace(/\/+$/, '') : undefined,
	} satisfies Setting<string> & { default: undefined },
	METRICS_FROM: networks(
		'addresses that may read /metrics without METRICS_TOKEN, as seen through TRUST_PROXY; the default is this machine',
		'loopback',
	),
	METRICS_TOKEN: {
		...text(
			'bearer token with which /metrics may be read from any address',
			undefined,
			'8 to 4096 characters without spaces',
			/^\S{8,}$/,
		),
		secret: true,
		inFile: true,
	},
	RATE_LIMIT: integer(
		'requests per minute that one client address may send to one process; 0 sets no limit',
		'12000',
		0,
		10_000_000,
	),
	LOG_LEVEL: choice('how much to log', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
} as const;
