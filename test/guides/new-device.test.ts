import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { ROOT } from '@crowdvision/testing/root';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Block, blocksOf, type GuideShell, openShell } from './guide-shell.ts';

let dir: string;
let shell: GuideShell;
let server: Running | undefined;
let ports: { http: number; mqtt: number };
const env = () => ({
	PORT: String(ports.http),
	MQTT_PORT: String(ports.mqtt),
	DATA_DIR: join(dir, 'data'),
	LOG_LEVEL: 'warn',
	REDIS_URL: '',
	GATEWAY_CONFIG: '',
});

beforeAll(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-guide-'));
	ports = { http: await freePort(), mqtt: await freePort() };
	// The project's script, as it is run from another folder: the guide's gateway.yaml is not to land in the project.
	const scripts = { gateway: `node ${join(ROOT, 'edge-gateway/src/main.ts')}` };
	await writeFile(join(dir, 'package.json'), JSON.stringify({ private: true, scripts }));
	shell = openShell(dir, env());
});
afterAll(async () => {
	shell.close();
	await server?.stop();
	await rm(dir, { recursive: true, force: true });
});

/** As the page has it, but for the ports. */
const here = ({ commands }: Block) =>
	commands.replaceAll('127.0.0.1:8080', `127.0.0.1:${ports.http}`).replaceAll('-p 1883', `-p ${ports.mqtt}`);

describe('docs/new-device.md', () => {
	it('leads from a mapping to an adopted device whose values show in its room', async () => {
		const blocks = blocksOf('new-device.md');
		const next = () => blocks.shift()!;
		expect(await shell.run(here(next()))).toBe('the configuration is valid');

		const serve = next();
		const [, password] = /^DEMO_PASSWORD=(\S+) npm start$/.exec(serve.commands.trim())!;
		expect(serve.server).toBe(true);
		const entry = { cwd: dir, env: { ...env(), DEMO_PASSWORD: password }, ready: /^ready /m, timeoutMs: 60_000 };
		server = await startNode('standalone.ts', entry);

		await shell.run(here(next()));
		await shell.run(here(next()));
		const why = await shell.run(here(next()));
		expect(why).toMatch(/^acme-A7-113: unknown device\n.*\bthe sensor is quarantined\b/);
		expect(why).toMatch(/What to do: Adopt the sensor\b/);
		const quarantined = await shell.run(here(next()));
		expect(quarantined).toContain("sensorId: 'acme-A7-113'");
		expect(await shell.run(here(next()))).toMatch(/acme\/A7-113\/uplink: unknown_sensor: /);

		expect(JSON.parse(await shell.run(here(next())))).toEqual({
			sensorId: 'acme-A7-113',
			buildingId: 'demo',
			roomId: 'studio',
		});
		expect(JSON.parse(await shell.run(here(next())))).toEqual({
			replayed: [{ id: expect.any(Number), outcome: 'accepted', accepted: 2 }],
		});
		await shell.run(here(next()));
		const look = here(next());
		const state = await waitFor('the readings in the room', async () => {
			const seen = await shell.run(look);
			return /peopleCount: \{\s+value: 7,/.test(seen) && /battery: \{\s+value: 87,/.test(seen) ? seen : undefined;
		});
		expect(state).toContain('acme-A7-113');
		expect(blocks).toEqual([]);
	});
});
