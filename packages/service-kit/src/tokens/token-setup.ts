import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { publicSigningKey, TABLES, type TableName } from '@crowdvision/contracts';
import { BusLinks } from '../links/bus-links.ts';
import type { Logger } from '../logger.ts';
import { loadSecret } from './jwt-secret.ts';
import { PublicKeys, SharedSecret } from './token-keys.ts';
import { Tokens } from './tokens.ts';

export interface TokenSettings {
	JWT_SIGNING: 'secret' | 'keypair';
	JWT_SECRET?: string | undefined;
	JWT_SECRET_PREVIOUS?: string | undefined;
	DATA_DIR: string;
}

/**
 * The tokens of a process, as its settings say. By key pair it can sign nothing until auth gives it a signer, nor
 * verify until it follows the bus.
 */
export function openTokens({ JWT_SIGNING, JWT_SECRET, JWT_SECRET_PREVIOUS, DATA_DIR }: TokenSettings): Tokens {
	return new Tokens(
		JWT_SIGNING === 'keypair'
			? new PublicKeys()
			: new SharedSecret(loadSecret(JWT_SECRET, DATA_DIR), JWT_SECRET_PREVIOUS),
	);
}

/** What this needs of the bus. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/**
 * Keeps what tokens are verified with as auth tells it: which sessions are void, and the public keys where they are
 * signed by key pair. Resolves when all was told, or after two seconds. `keepIn`: a file that holds the public keys for
 * a start while the bus is away.
 */
export async function followTokens(
	tokens: Tokens,
	bus: Watchable,
	logger: Logger,
	keepIn?: string,
): Promise<{ close(): Promise<void> }> {
	const { keys, revocations } = tokens;
	const links = new BusLinks(logger);
	const understood =
		(table: string, take: (key: string, value: string | null) => void) => (key: string, value: string | null) => {
			try {
				take(key, value);
			} catch (error) {
				logger.error({ err: error, table, key }, 'what auth told of tokens could not be read');
			}
		};
	const steps = [
		() =>
			bus.watch(
				TABLES.revokedSessions,
				understood(TABLES.revokedSessions, (key, value) => revocations.set(key, value)),
			),
	];
	if (keys instanceof PublicKeys) {
		if (keepIn !== undefined) readKept(keys, keepIn, logger);
		const onKey = (kid: string, value: string | null) => {
			if (value === null) keys.delete(kid);
			else keys.set(parsed(JSON.parse(value), kid));
			if (keepIn !== undefined) keep(keys, keepIn, logger);
		};
		steps.unshift(() => bus.watch(TABLES.signingKeys, understood(TABLES.signingKeys, onKey)));
	}
	await links.open(...steps);
	return links;
}

function parsed(jwk: unknown, kid?: string) {
	if (!publicSigningKey.check(jwk) || (kid !== undefined && jwk.kid !== kid))
		throw new Error('this is no public key of auth');
	return jwk;
}

function readKept(keys: PublicKeys, path: string, logger: Logger): void {
	try {
		for (const jwk of JSON.parse(readFileSync(path, 'utf8')) as unknown[]) keys.set(parsed(jwk));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
			logger.warn({ err: error, path }, 'the kept public keys could not be read');
	}
}

function keep(keys: PublicKeys, path: string, logger: Logger): void {
	try {
		writeFileSync(`${path}.tmp`, JSON.stringify(keys.all()), { mode: 0o600, flush: true });
		renameSync(`${path}.tmp`, path);
	} catch (error) {
		logger.warn({ err: error, path }, 'the public keys could not be kept for a start without the bus');
	}
}
