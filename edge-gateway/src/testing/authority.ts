import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);

/** Files with a certificate and its private key (PEM). */
export interface Certificate {
	cert: string;
	key: string;
}

/** A certificate authority for one test. */
export interface Authority {
	/** File with the authority's certificate. */
	ca: string;
	/** Issues a certificate for a name, which is also valid for localhost and 127.0.0.1. */
	issue(name: string): Promise<Certificate>;
}

/** @throws Error when openssl is not installed */
export async function createAuthority(name = 'test authority'): Promise<Authority> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-authority-'));
	onTestFinished(() => rm(dir, { recursive: true, force: true }));
	const file = (suffix: string) => join(dir, suffix);
	const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
	await run('openssl', [
		'req',
		'-x509',
		...newKey,
		'-keyout',
		file('ca.key'),
		'-out',
		file('ca.pem'),
		'-days',
		'2',
		'-subj',
		`/CN=${name}`,
	]);
	return {
		ca: file('ca.pem'),
		async issue(subject) {
			const [cert, key] = [file(`${subject}.pem`), file(`${subject}.key`)];
			await writeFile(file(`${subject}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
			await run('openssl', [
				'req',
				...newKey,
				'-keyout',
				key,
				'-out',
				file(`${subject}.csr`),
				'-subj',
				`/CN=${subject}`,
			]);
			await run('openssl', [
				...[
					'x509',
					'-req',
					'-in',
					file(`${subject}.csr`),
					'-CA',
					file('ca.pem'),
					'-CAkey',
					file('ca.key'),
					'-CAcreateserial',
				],
				...['-out', cert, '-days', '2', '-extfile', file(`${subject}.ext`)],
			]);
			return { cert, key };
		},
	};
}
