import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';

/** OWASP's parameters for scrypt at 16 MiB; each hash names its own, so that they can be raised. */
const COST = { N: 2 ** 14, r: 8, p: 5 };
const KEY_BYTES = 32;
const MOST_MEMORY = 64 * 1024 * 1024;

/** Each hash keeps a thread of the pool busy for a good while: two leave the others to the rest of the process. */
const AT_ONCE = 2;
const MOST_WAITING = 50;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Hashes a password for keeping: `scrypt$N$r$p$salt$key`. @throws CrowdVisionError `unavailable` when too many are
 * under way.
 */
export async function hashPassword(password: string): Promise<string> {
	const salt = randomBytes(16);
	const key = await derive(password, salt, COST);
	return encode(salt, key);
}

function encode(salt: Buffer, key: Buffer): string {
	return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** A kept password that no password fits, and that takes as long as any to find out. */
export function impossiblePassword(): string {
	return encode(randomBytes(16), randomBytes(KEY_BYTES));
}

/**
 * Whether `kept` was made of this password; takes the same time for yes and no. @throws CrowdVisionError `unavailable`
 */
export async function verifyPassword(password: string, kept: string): Promise<boolean> {
	const [scheme, N, r, p, salt, key] = kept.split('$');
	if (scheme !== 'scrypt' || !salt || !key) throw new Error('a kept password is of an unknown scheme');
	const expected = Buffer.from(key, 'base64url');
	const given = await derive(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
	return given.length === expected.length && timingSafeEqual(given, expected);
}

async function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
	await takeTurn();
	try {
		return await new Promise((resolve, reject) => {
			scrypt(password.normalize('NFKC'), salt, KEY_BYTES, { ...cost, maxmem: MOST_MEMORY }, (error, key) =>
				error ? reject(error) : resolve(key),
			);
		});
	} finally {
		const next = waiting.shift();
		if (next) next();
		else running--;
	}
}

async function takeTurn(): Promise<void> {
	if (running < AT_ONCE) {
		running++;
		return;
	}
	if (waiting.length >= MOST_WAITING)
		throw new CrowdVisionError('unavailable', 'Too many people are signing in at once', {}, 2);
	await new Promise<void>((resolve) => waiting.push(resolve));
}
