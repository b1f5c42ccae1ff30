/**
 * Runs docker-compose.yml for real and tests it:  npm run test:compose
 * Builds the images, brings them up as a project of its own on free ports, and removes it again, whatever happens. The
 * last line is
 * `N passed, N failed`; 1 is the exit code where anything failed, or where there is no Docker engine to run it on.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { freePort } from '@crowdvision/testing/ports';
import { compose, composeCommand } from '../test/compose/docker.ts';

/** What keeps it from running, for a person; undefined when nothing does. */
function whyNot(): string | undefined {
	const engine = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8' });
	if (engine.error) return 'docker is not installed';
	if (engine.status !== 0) return `no Docker engine answers: ${engine.stderr.trim()}`;
	if (!composeCommand()) return 'there is neither "docker compose" nor "docker-compose"';
	for (const image of baseImages()) {
		if (spawnSync('docker', ['image', 'inspect', image], { stdio: 'ignore' }).status === 0) continue;
		const pulled = spawnSync('docker', ['pull', '--quiet', image], { encoding: 'utf8' });
		if (pulled.status !== 0) return `the image ${image} is not here and cannot be pulled: ${pulled.stderr.trim()}`;
	}
	return undefined;
}

/** Those that the Dockerfile and the compose file begin with. */
function baseImages(): Set<string> {
	const built = readFileSync('Dockerfile', 'utf8').matchAll(/^FROM ([a-z]+:\S+)/gm);
	const used = readFileSync('docker-compose.yml', 'utf8').matchAll(/^ +image: ([a-z]+:\S+)$/gm);
	return new Set([...built, ...used].map(([, image]) => image!));
}

const why = whyNot();
if (why) {
	process.stdout.write(`docker-compose.yml WAS NOT TESTED: ${why}\n0 passed, 1 failed\n`);
	process.exit(1);
}

Object.assign(process.env, {
	COMPOSE_PROJECT: `crowdvision-test-${randomBytes(4).toString('hex')}`,
	TAG: 'test',
	DOMAIN: 'localhost',
	BIND: '127.0.0.1',
	MQTT_BIND: '127.0.0.1',
	HTTP_PORT: `${await freePort()}`,
	HTTPS_PORT: `${await freePort()}`,
	MQTT_PORT: `${await freePort()}`,
	LOG_LEVEL: 'warn',
	...Object.fromEntries(['JWT_SIGNING', 'RATE_LIMIT', 'ADMINS', 'PUBLIC_URL', 'SSO_REACH'].map((name) => [name, ''])),
});
const tests = spawn(process.execPath, ['scripts/test.ts', 'test/compose/', ...process.argv.slice(2)], {
	stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => tests.kill(signal));
const [code] = await once(tests, 'exit');
try {
	await compose(['down', '--volumes', '--remove-orphans', '--timeout', '5']);
	process.exitCode = code ?? 1;
} catch (error) {
	process.stderr.write(
		`something is left of the project ${process.env.COMPOSE_PROJECT}: ${(error as Error).message}\n`,
	);
	process.exitCode = 1;
}
