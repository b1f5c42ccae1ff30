import { readFileSync } from 'node:fs';
import { publicSigningKey, TABLES, type TableName } from '@crowdvision/contracts';
import { writeAtomicallySync } from '../files/write-atomically.ts';
import { BusLinks } from '../links/bus-links.ts';
import type { Logger } from '../logger.ts';
import { PublicKeys, SharedSecret } from './keys.ts';
import { loadSecret } from './secrets.ts';
import { Tokens } from './tokens.ts';

/** The settings that decide how tokens are signed. */
export interface TokenSettings {
	JWT_SIGNING: 'secret' | 'keypair';
	JWT_SECRET?: string | undefined;
	JWT_SECRET_PREVIOUS?: string | undefined;
	DEVICE_TOKEN_MAX_DAYS: number;
	DATA_DIR: string;
}

/**
 * The tokens of a process, by its settings. With key pairs it cannot sign until auth gives it a signer, nor verify
 * until it follows the bus.
 */
export function openTokens(settings: TokenSettings): Tokens {
	const { JWT_SIGNING, JWT_SECRET, JWT_SECRET_PREVIOUS, DEVICE_TOKEN_MAX_DAYS, DATA_DIR } = settings;
	return new Tokens(
		JWT_SIGNING === 'keypair'
			? new PublicKeys()
			: new SharedSecret(loadSecret(JWT_SECRET, DATA_DIR), JWT_SECRET_PREVIOUS),
		DEVICE_TOKEN_MAX_DAYS,
	);
}

/** The part of the bus that this needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/**
 * Follows what auth publishes about tokens: void sessions, and the public keys where tokens are signed by key pair.
 * Resolves when all of it is known, or after two seconds. `keyFile` stores the public keys for a start without the bus.
 */
export async function followTokens(
	tokens: Tokens,
	bus: Watchable,
	logger: Logger,
	keyFile?: string,
): Promise<{ close(): Promise<void> }> {
	const { keys, revocations } = tokens;
	const links = new BusLinks(logger);
	const logErrors =
		(table: string, take: (key: string, value: string | null) => void) => (key: string, value: string | null) => {
			try {
				take(key, value);
			} catch (error) {
				logger.error({ err: error, table, key }, 'a value about tokens could not be read');
			}
		};
	const steps = [
		() =>
			bus.watch(
				TABLES.revokedSessions,
				logErrors(TABLES.revokedSessions, (key, value) => revocations.set(key, value)),
			),
	];
	if (keys instanceof PublicKeys) {
		if (keyFile !== undefined) readKeyFile(keys, keyFile, logger);
		const onKey = (kid: string, value: string | null) => {
			if (value === null) keys.delete(kid);
			else keys.set(parsed(JSON.parse(value), kid));
			if (keyFile !== undefined) writeKeyFile(keys, keyFile, logger);
		};
		steps.unshift(() => bus.watch(TABLES.signingKeys, logErrors(TABLES.signingKeys, onKey)));
	}
	await links.open(...steps);
	return links;
}

function parsed(jwk: unknown, kid?: string) {
	if (!publicSigningKey.check(jwk) || (kid !== undefined && jwk.kid !== kid))
		throw new Error('not a public key of auth');
	return jwk;
}

function readKeyFile(keys: PublicKeys, path: string, logger: Logger): void {
	try {
		for (const jwk of JSON.parse(readFileSync(path, 'utf8')) as unknown[]) keys.set(parsed(jwk));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
			logger.warn({ err: error, path }, 'the stored public keys could not be read');
	}
}

function writeKeyFile(keys: PublicKeys, path: string, logger: Logger): void {
	try {
		writeAtomicallySync(path, JSON.stringify(keys.all()));
	} catch (error) {
		logger.warn(
			{ err: error, path },
			'the public keys could not be stored: a start without the bus will not know them',
		);
	}
}
