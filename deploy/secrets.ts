/**
 * Makes the secrets of the distributed mode, each once:  node deploy/secrets.ts [rotate | forget]
 *
 *   /secrets        jwt-secret            signs and verifies tokens                               0400
 *                   jwt-secret-previous   still verifies, while the other one is new; else empty  0400
 *                   redis-url             Redis, with the password                                0400
 *   /auth-secrets   auth-key              seals what auth keeps of others' secrets                0400
 *   /redis-secrets  users.acl             what that password may do; Redis' own user is of this one's group  0440
 *
 * `rotate` makes a new jwt-secret and keeps the old one as the previous; `forget` ends that. Whoever reads them is to
 * be started again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const [wish] = process.argv.slice(2);
if (wish !== undefined && wish !== 'rotate' && wish !== 'forget') {
	process.stderr.write('usage: node deploy/secrets.ts [rotate | forget]\n');
	process.exit(2);
}
const jwtSecret = '/secrets/jwt-secret';
const previous = '/secrets/jwt-secret-previous';
const redisUrl = '/secrets/redis-url';
const authKey = '/auth-secrets/auth-key';
const usersAcl = '/redis-secrets/users.acl';

const secret = () => randomBytes(48).toString('base64url');

/** Writes the file whole or not at all: a power cut leaves no half of a secret. */
function write(path: string, content: string, mode: number): void {
	writeFileSync(`${path}.new`, content, { mode, flush: true });
	renameSync(`${path}.new`, path);
	process.stdout.write(`wrote ${path}\n`);
}

if (wish === 'rotate') {
	write(previous, readFileSync(jwtSecret, 'utf8'), 0o400);
	write(jwtSecret, `${secret()}\n`, 0o400);
}
if (!existsSync(jwtSecret)) write(jwtSecret, `${secret()}\n`, 0o400);
if (!existsSync(previous) || wish === 'forget') write(previous, '', 0o400);
if (!existsSync(authKey)) write(authKey, `${secret()}\n`, 0o400);
if (!existsSync(redisUrl)) write(redisUrl, `redis://crowdvision:${secret()}@redis:6379\n`, 0o400);

// Who has no password may ask whether Redis is alive. Who has it may do what the services do: not stop it, empty it, or
// set it up anew.
const password = createHash('sha256')
	.update(new URL(readFileSync(redisUrl, 'utf8').trim()).password)
	.digest('hex');
const acl = `user default on nopass -@all +ping\nuser crowdvision on #${password} ~* &* +@all -@dangerous +info\n`;
if (!existsSync(usersAcl) || readFileSync(usersAcl, 'utf8') !== acl) write(usersAcl, acl, 0o440);
