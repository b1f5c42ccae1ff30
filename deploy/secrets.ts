/**
 * Creates the secrets of the distributed mode that do not exist yet:  node deploy/secrets.ts [rotate | forget]
 *
 *   /secrets        jwt-secret           signs and verifies tokens                                   0400
 *                   jwt-secret-previous  verifies older tokens after a rotation, else empty          0400
 *                   redis-url            the URL of Redis with the password                          0400
 *   /auth-secrets   auth-key             encrypts the secrets that auth stores                       0400
 *   /redis-secrets  users.acl            the rights of that password; readable by the group of Redis 0440
 *
 * `rotate` creates a new jwt-secret and keeps the old one as the previous; `forget` empties the previous one. Restart
 * the processes that read a secret after it has changed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const [command] = process.argv.slice(2);
if (command !== undefined && command !== 'rotate' && command !== 'forget') {
	process.stderr.write('usage: node deploy/secrets.ts [rotate | forget]\n');
	process.exit(2);
}
const jwtSecret = '/secrets/jwt-secret';
const previous = '/secrets/jwt-secret-previous';
const redisUrl = '/secrets/redis-url';
const authKey = '/auth-secrets/auth-key';
const usersAcl = '/redis-secrets/users.acl';

const secret = () => randomBytes(48).toString('base64url');

/** Writes a file as a whole or not at all, so that a power cut leaves no half-written secret. */
function write(path: string, content: string, mode: number): void {
	writeFileSync(`${path}.new`, content, { mode, flush: true });
	renameSync(`${path}.new`, path);
	process.stdout.write(`wrote ${path}\n`);
}

if (command === 'rotate') {
	write(previous, readFileSync(jwtSecret, 'utf8'), 0o400);
	write(jwtSecret, `${secret()}\n`, 0o400);
}
if (!existsSync(jwtSecret)) write(jwtSecret, `${secret()}\n`, 0o400);
if (!existsSync(previous) || command === 'forget') write(previous, '', 0o400);
if (!existsSync(authKey)) write(authKey, `${secret()}\n`, 0o400);
if (!existsSync(redisUrl)) write(redisUrl, `redis://crowdvision:${secret()}@redis:6379\n`, 0o400);

// Without the password, a client may only ping Redis. With it, it may do what the services need, but not stop Redis,
// empty it or change its configuration.
const password = createHash('sha256')
	.update(new URL(readFileSync(redisUrl, 'utf8').trim()).password)
	.digest('hex');
const acl = `user default on nopass -@all +ping\nuser crowdvision on #${password} ~* &* +@all -@dangerous +info\n`;
if (!existsSync(usersAcl) || readFileSync(usersAcl, 'utf8') !== acl) write(usersAcl, acl, 0o440);
