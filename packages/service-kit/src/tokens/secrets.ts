import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The JWT secret from the environment, or else the one stored in `dataDir`. */
export function loadSecret(fromEnvironment: string | undefined, dataDir: string): string {
	return fromEnvironment ?? storedSecret(dataDir, 'jwt-secret');
}

/** The secret in the file `name` of `dataDir` (mode 0600). Created at the first start: 64 random characters. */
export function storedSecret(dataDir: string, name: string): string {
	const path = join(dataDir, name);
	try {
		const stored = readFileSync(path, 'utf8').trim();
		if (stored.length >= 32) return stored;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
	}
	mkdirSync(dataDir, { recursive: true, mode: 0o700 });
	const secret = randomBytes(48).toString('base64url');
	writeFileSync(path, `${secret}\n`, { mode: 0o600, flush: true });
	chmodSync(path, 0o600);
	return secret;
}
