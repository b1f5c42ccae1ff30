import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '@crowdvision/testing/root';
import { composeCommand } from './docker.ts';

const run = promisify(execFile);

/** The shell lines of the README's section "With Docker", one text. */
function readmeLines(): string {
	const section = /^## With Docker$(.*?)^## /ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '';
	return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines]) => lines).join('');
}

/** Runs them for this composition and this person; resolves with what they print. `root.crt` goes to `dir`. */
export async function pasteReadme(where: {
	http: string;
	dir: string;
	email: string;
	password: string;
	domain: string;
}): Promise<string> {
	const lines = readmeLines()
		.replaceAll(
			'docker compose ',
			`${composeCommand()?.join(' ')} -f ${join(ROOT, 'docker-compose.yml')} --project-directory ${ROOT} ` +
				`-p ${process.env.COMPOSE_PROJECT} `,
		)
		.replaceAll('https://localhost', where.http)
		.replace('you@example.org', where.email)
		.replace('your password', where.password)
		.replace('your-domain', where.domain);
	const { stdout } = await run('/bin/sh', ['-ec', lines], { cwd: where.dir, timeout: 60_000 });
	return stdout;
}
