import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '@crowdvision/testing/processes';
import { ROOT } from '@crowdvision/testing/root';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SETTINGS } from '../../settings.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const GUIDE = read('docs/raspberry-pi.md');
const UNIT_PATH = 'deploy/systemd/crowdvision-gateway.service';
const UNIT = read(UNIT_PATH);
const INSTALLED_AT = '/opt/crowdvision';

function folder(): string {
	const dir = mkdtempSync(join(tmpdir(), 'crowdvision-pi-'));
	onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
	return dir;
}

/** Each value of a key of the unit, in order. */
const unit = (key: string) => [...UNIT.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

describe('the guide for a gateway at a door', () => {
	const blocks = ['docs/raspberry-pi.md', 'docs/home-assistant.md'].flatMap((page) =>
		[...read(page).matchAll(/^```yaml\n(.*?)^```/gms)].map(
			([, text], index) => [`${page}, ${index + 1}`, text!] as const,
		),
	);

	it.each(blocks)('shows a valid gateway.yaml: %s', (_where, text) => {
		const path = join(folder(), 'gateway.yaml');
		writeFileSync(path, text);
		const { stdout, stderr, status } = spawnSync(process.execPath, ['edge-gateway/src/main.ts', 'check'], {
			cwd: ROOT,
			encoding: 'utf8',
			env: { ...process.env, GATEWAY_CONFIG: path },
		});
		expect({ stdout, stderr, status }).toMatchObject({
			stdout: expect.stringContaining('the configuration is valid'),
			stderr: '',
			status: 0,
		});
	});

	it('names only files and scripts that exist', () => {
		const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;
		for (const [, script] of GUIDE.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty(script!);
		for (const [path] of GUIDE.matchAll(/\b(?:scripts|deploy)\/[\w./-]+\.(?:mjs|service)/g))
			expect(existsSync(join(ROOT, path)), path).toBe(true);
		for (const [, setting] of GUIDE.matchAll(/`([A-Z_]{4,})=/g)) expect(SETTINGS).toHaveProperty(setting!);
	});
});

describe('the systemd unit', () => {
	it('starts an existing program with existing settings', () => {
		const [program, ...args] = unit('ExecStart')[0]!.replaceAll(INSTALLED_AT, ROOT.replace(/\/$/, '')).split(' ');
		expect(existsSync(program!)).toBe(true);
		const entry = args.find((arg) => !arg.startsWith('-'))!;
		expect(existsSync(join(ROOT, entry))).toBe(true);
		expect(unit('WorkingDirectory')).toEqual([INSTALLED_AT]);
		const known = [...Object.keys(SETTINGS), 'NODE_ENV', 'NODE_COMPILE_CACHE'];
		for (const setting of unit('Environment')) expect(known).toContain(setting.split('=')[0]);
		// The flags are those of npm run gateway.
		const { scripts } = JSON.parse(read('package.json')) as { scripts: { gateway: string } };
		expect(scripts.gateway).toContain(args.join(' '));
	});

	it('may open serial ports, and write only its own state', () => {
		expect(unit('SupplementaryGroups')).toEqual(['dialout']);
		expect({ system: unit('ProtectSystem'), state: unit('StateDirectory'), user: unit('DynamicUser') }).toEqual({
			system: ['strict'],
			state: ['crowdvision'],
			user: ['yes'],
		});
		// Each of them would take away the ports, some only those plugged in later.
		for (const key of ['DeviceAllow', 'DevicePolicy', 'ProtectClock', 'PrivateUsers', 'MemoryDenyWriteExecute'])
			expect(unit(key), key).toEqual([]);
		expect(unit('PrivateDevices')).toEqual(['no']);
		expect(unit('WatchdogSec')).toEqual([]);
		expect(UNIT).not.toMatch(/^(After|Wants|Requires)=/m);
	});

	const analyze = findProgram('systemd-analyze');
	it.runIf(analyze)('passes systemd-analyze verify with a low exposure', () => {
		const path = join(folder(), 'crowdvision-gateway.service');
		writeFileSync(path, UNIT.replaceAll(INSTALLED_AT, ROOT.replace(/\/$/, '')));
		const verified = spawnSync(analyze!, ['verify', path], { encoding: 'utf8' });
		expect({ status: verified.status, said: `${verified.stdout}${verified.stderr}` }).toEqual({ status: 0, said: '' });
		const { status, stdout } = spawnSync(
			analyze!,
			['security', '--offline=true', '--no-pager', '--threshold=25', path],
			{ encoding: 'utf8' },
		);
		expect(stdout).toMatch(/Overall exposure level for crowdvision-gateway\.service: \d/);
		expect(status, stdout.split('\n').at(-2)).toBe(0);
	});
});

describe('production packages on arm64', () => {
	interface Locked {
		dev?: boolean;
		devOptional?: boolean;
		optional?: boolean;
		link?: boolean;
		os?: string[];
		cpu?: string[];
		hasInstallScript?: boolean;
	}
	const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
	const inProduction = Object.entries(packages).filter(
		([path, { dev, devOptional, link }]) => path.includes('node_modules/') && !dev && !devOptional && !link,
	);

	it('run there, every one', () => {
		expect(inProduction.length).toBeGreaterThan(50);
		const allows = (list: string[] | undefined, wanted: string) =>
			!list || list.includes(wanted) || (list[0]!.startsWith('!') && !list.includes(`!${wanted}`));
		const missing = inProduction.filter(
			([, { os, cpu, optional }]) => !optional && !(allows(os, 'linux') && allows(cpu, 'arm64')),
		);
		expect(missing.map(([path]) => path)).toEqual([]);
	});

	it('ship their native code built', () => {
		const native = inProduction.filter(
			([path]) => existsSync(join(ROOT, path, 'binding.gyp')) || existsSync(join(ROOT, path, 'prebuilds')),
		);
		expect(native.map(([path]) => path)).toContain('node_modules/@serialport/bindings-cpp');
		for (const [path] of native) {
			const built = readdirSync(join(ROOT, path, 'prebuilds/linux-arm64'));
			expect(
				built.filter((name) => name.endsWith('.node')),
				path,
			).not.toEqual([]);
		}
	});

	it('run no script when they are installed', () => {
		const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
		const scripted = inProduction
			.filter(([, { hasInstallScript }]) => hasInstallScript)
			.map(([path]) => path.replace(/^.*node_modules\//, ''));
		for (const name of scripted) expect(allowScripts[name], name).toBe(false);
	});
});
