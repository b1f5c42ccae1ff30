import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findProgram } from './processes.ts';
import { type ServerInFolder, startInFolder } from './server-in-folder.ts';

/** The proxies that docs/behind-a-proxy.md describes and that a test can start. */
export const FRONT_PROXIES = ['caddy', 'nginx', 'apache'] as const;
export type FrontProxy = (typeof FRONT_PROXIES)[number];

const PROGRAMS: Record<FrontProxy, string> = { caddy: 'caddy', nginx: 'nginx', apache: 'apache2' };
const MODULES = ['mpm_event', 'authz_core', 'alias', 'headers', 'proxy', 'proxy_http'];
/** Where Debian has the modules of Apache. */
const APACHE_MODULES = '/usr/lib/apache2/modules';

/** Why a proxy cannot be tested here, with what to do; undefined where it can. */
export function whyNoProxy(proxy: FrontProxy): string | undefined {
	const program = PROGRAMS[proxy];
	return findProgram(program) ? undefined : `${program} is not installed; on Debian: apt-get install ${program}`;
}

/**
 * A real proxy on a loopback port with `site` as its configuration of one site: a site block of a Caddyfile, what
 * nginx includes in `http`, or a virtual host of Apache. Its port replaces the one that `site` names, `upstream` (as
 * `127.0.0.1:20123`) the address `127.0.0.1:8080`.
 * Each runs as a single process, so that nothing is left of it however it ends.
 * @throws when it is not installed, or does not accept its configuration; with what it said.
 */
export async function startFrontProxy(
	proxy: FrontProxy,
	site: string,
	{ upstream, port: given }: { upstream: string; port?: number },
): Promise<ServerInFolder> {
	const why = whyNoProxy(proxy);
	if (why) throw new Error(why);
	const own = given ?? (await freePort());
	const text = site.replaceAll('127.0.0.1:8080', upstream);
	const write = async (dir: string, name: string, content: string) => {
		await writeFile(join(dir, name), content);
		return join(dir, name);
	};
	const program = findProgram(PROGRAMS[proxy])!;
	if (proxy === 'caddy')
		return startInFolder('caddy', {
			program,
			ready: /serving initial configuration/,
			args: async (dir) => {
				const options = `{\n\tadmin off\n\tstorage file_system ${dir}\n}\n`;
				const address = text.replace(/^example\.org \{/m, `http://127.0.0.1:${own} {`);
				const file = await write(dir, 'Caddyfile', options + address);
				return ['run', '--config', file, '--adapter', 'caddyfile'];
			},
		});
	if (proxy === 'nginx')
		return startInFolder('nginx', {
			program,
			ready: /getrlimit/,
			args: async (dir) => {
				const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
				const file = await write(
					dir,
					'nginx.conf',
					`daemon off; master_process off; pid ${dir}/nginx.pid; error_log stderr notice;
events {}
http {
	access_log off;
	${temporary.map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')}
	${text.replace('listen 80;', `listen 127.0.0.1:${own};`)}
}
`,
				);
				return ['-e', 'stderr', '-p', dir, '-c', file];
			},
		});
	return startInFolder('apache', {
		program,
		ready: /start_threads/,
		args: async (dir) => {
			await mkdir(join(dir, 'run'));
			const file = await write(
				dir,
				'apache.conf',
				`ServerRoot ${dir}
ServerName 127.0.0.1
Listen 127.0.0.1:${own}
PidFile ${dir}/run/apache.pid
DefaultRuntimeDir ${dir}/run
ErrorLog "|/bin/cat"
LogLevel notice mpm_event:debug
User nobody
Group nogroup
${MODULES.map((name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`).join('\n')}
${text.replace('<VirtualHost *:80>', `<VirtualHost 127.0.0.1:${own}>`)}
`,
			);
			return ['-X', '-f', file];
		},
	});
}
