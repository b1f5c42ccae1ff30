import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

/** One declaration per setting: its environment name gives the key; default, meaning and parser stand beside it. */
export interface Setting<T> {
	/** What it is for, in one line of docs/settings.md. */
	means: string;
	/** As a person would write it; undefined: there is none. */
	default: string | undefined;
	/** What is allowed, as it ends the sentence "… must be". */
	allowed: string;
	secret?: boolean;
	/**
	 * May also be given as `NAME_FILE`, the path of a file that holds it: an environment is seen by whoever may inspect a
	 * container.
	 */
	inFile?: boolean;
	/** Returns undefined for a value that is not allowed. */
	parse: (text: string) => T | undefined;
}

/** A setting that keeps, in its type, whether it has a default. */
export type Declared<T, D> = Setting<T> & { default: D };

type Values<S extends Record<string, Setting<unknown>>> = {
	[K in keyof S]: S[K] extends Setting<infer T>
		? S[K]['default'] extends string
			? NonNullable<T>
			: NonNullable<T> | undefined
		: never;
};

/** Everything that is wrong with the environment, one line a setting. */
export class SettingsError extends Error {}

/**
 * Reads and validates the environment. An empty variable or file counts as absent.
 * @throws SettingsError naming every bad setting, what it was (never for a secret, nor for what stands in a file) and
 * what is allowed.
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

/** Declares any text of 1 to 4096 characters that satisfies `test`. */
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

/** Declares one of a few words. */
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

const PROXY_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

/** Declares a list of proxies: their addresses, networks, or a word for a range of them. */
function proxies(means: string, fallback: string): Declared<string[], string> {
	return {
		means,
		default: fallback,
		allowed:
			'none, or with commas between: loopback, linklocal, uniquelocal (private networks), an address, a network such as 10.0.0.0/8',
		parse: (value: string) => {
			const parts = value.split(',').map((part) => part.trim());
			if (value === 'none') return [];
			return parts.every((part) => PROXY_RANGES.includes(part) || isNetwork(part)) ? parts : undefined;
		},
	};
}

/** An IP address, or one with the length of its network's prefix. */
function isNetwork(text: string): boolean {
	const [, address = '', bits = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
	const version = isIP(address);
	return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}

/** Settings that every process shares; a service adds its own. */
export const COMMON_SETTINGS = {
	PORT: integer('HTTP port; 0 takes a free one', '8080', 0, 65_535),
	HOST: text(
		'address to listen on; loopback unless you say otherwise',
		'127.0.0.1',
		'an IP address or a host name',
		/^[A-Za-z0-9.:_-]+$/,
	),
	DATA_DIR: text('folder for everything that is kept', './data'),
	REDIS_URL: {
		...url('Redis, for the bus; without it the bus is in this process', undefined, ['redis:', 'rediss:']),
		inFile: true,
	},
	MONGO_URL: {
		...url(
			'MongoDB (a replica set, of one member at least), for what is kept; without it that is SQLite in DATA_DIR',
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
			'the shared secret of before, which still verifies while JWT_SECRET is being changed',
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
	TRUST_PROXY: proxies(
		'whose X-Forwarded-For is believed: the proxies in front and nobody else, or a client could pass for another',
		'loopback',
	),
	RATE_LIMIT: integer(
		'requests a minute that one client address may make to one process; 0 sets no limit',
		'12000',
		0,
		10_000_000,
	),
	LOG_LEVEL: choice('how much to log', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
} as const;
