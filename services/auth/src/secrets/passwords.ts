import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import { Semaphore } from '@crowdvision/service-kit';

/** OWASP's scrypt parameters for 16 MiB. Each hash names its own parameters, so these can be raised later. */
const COST = { N: 2 ** 14, r: 8, p: 5 };
const KEY_BYTES = 32;
const MAX_MEMORY = 64 * 1024 * 1024;

/** Each hash occupies a thread of Node's pool of four for long; the rest of the process needs the other two. */
const MAX_RUNNING = 2;
const MAX_WAITING = 50;

const hashing = new Semaphore(MAX_RUNNING);
let unfinished = 0;

/**
 * Hashes a password as `scrypt$N$r$p$salt$key`. Two hashes run at once in a process, and 50 wait.
 * @throws CrowdVisionError `unavailable` when more are waiting
 */
export async function hashPassword(password: string): Promise<string> {
	const salt = randomBytes(16);
	const key = await derive(password, salt, COST);
	return encode(salt, key);
}

function encode(salt: Buffer, key: Buffer): string {
	return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** A hash that no password matches and that takes as long to verify as any other. */
export function unmatchablePassword(): string {
	return encode(randomBytes(16), randomBytes(KEY_BYTES));
}

/**
 * Whether `hash` was made from this password. Takes the same time for yes and for no.
 * @throws CrowdVisionError `unavailable` when too many hashes are waiting
 */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
	const [scheme, N, r, p, salt, key] = hash.split('$');
	if (scheme !== 'scrypt' || !salt || !key) throw new Error('a stored password hash has an unknown scheme');
	const expected = Buffer.from(key, 'base64url');
	const given = await derive(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
	return given.length === expected.length && timingSafeEqual(given, expected);
}

async function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
	if (unfinished >= MAX_RUNNING + MAX_WAITING)
		throw new CrowdVisionError('unavailable', 'Too many people are signing in at once: try again', {}, 2);
	unfinished++;
	const release = await hashing.acquire();
	try {
		return await new Promise((resolve, reject) => {
			scrypt(password.normalize('NFKC'), salt, KEY_BYTES, { ...cost, maxmem: MAX_MEMORY }, (error, key) =>
				error ? reject(error) : resolve(key),
			);
		});
	} finally {
		release();
		unfinished--;
	}
}
