// Programs that tests start, as Debian packages where this is root on Debian.
import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import { installed, run, say, step } from './tools.mjs';

/** Program, Debian package, what is not tested without it. */
const PROGRAMS = [
	['redis-server', 'redis-server', 'everything with a real Redis'],
	['mosquitto', 'mosquitto', 'a real MQTT broker'],
	['mosquitto_pub', 'mosquitto-clients', 'the MQTT lines of the README'],
	['caddy', 'caddy', 'the topology behind Caddy'],
	['nginx', 'nginx', 'CrowdVision behind nginx'],
	['apache2', 'apache2', 'CrowdVision behind Apache'],
	['chromium', 'chromium', 'the page in a real browser'],
	['socat', 'socat', 'serial ports'],
];
/**
 * Services of those packages; Debian starts and enables what it installs, and they would take the ports of a user's
 * own.
 */
const SERVICES = ['redis-server', 'mosquitto', 'caddy', 'nginx', 'apache2'];
const POLICY = '/usr/sbin/policy-rc.d';

/** Whether programs can be had here as Debian packages, without asking. */
export const canInstall = () => existsSync('/etc/debian_version') && installed('apt-get') && process.getuid?.() === 0;

export function ensurePrograms() {
	const missing = PROGRAMS.filter(([program]) => !installed(program));
	if (missing.length === 0) return;
	const packages = missing.map(([, name]) => name);
	let why = `install ${packages.join(', ')}`;
	if (canInstall()) {
		try {
			step(`installing ${packages.join(', ')} from Debian`, () => aptInstall(packages));
		} catch (error) {
			why = error.message;
		}
	} else if (installed('apt-get')) {
		why = `as root: apt-get install ${packages.join(' ')}`;
	}
	for (const [program, , without] of missing) {
		if (!installed(program)) say(`*** ${program} IS NOT INSTALLED: ${without} cannot be tested. (${why})`);
	}
}

/** Installs Debian packages without starting their services. @throws with what apt said. */
export function aptInstall(packages) {
	const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
	const apt = (...args) => run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], { env });
	let trouble = '';
	try {
		apt('update');
	} catch (error) {
		trouble = error.message; // an old list often still does
	}
	const hold = !existsSync(POLICY);
	const release = () => hold && existsSync(POLICY) && unlinkSync(POLICY);
	// This script is synchronous, so a signal would end it with the file in place: let the child be ended, and clean up.
	const onSignal = () => {};
	for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, onSignal);
	try {
		if (hold) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
		apt('install', '-y', '--no-install-recommends', ...packages);
		const services = SERVICES.filter((service) => packages.includes(service));
		if (services.length > 0 && existsSync('/run/systemd/system'))
			run('systemctl', ['--quiet', 'disable', ...services], { env });
	} catch (error) {
		throw new Error(`${trouble}${error.message}`);
	} finally {
		release();
		for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal);
	}
}
