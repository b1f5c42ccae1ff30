import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { ROOT } from '@crowdvision/testing/root';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Block, blocksOf, type GuideShell, openShell } from './guide-shell.ts';

/** The page has a dozen commands, each a process of its own. */
const PATIENCE_MS = 240_000;

/** A folder in which the page is followed, a terminal in it, and the server. */
interface Desk {
	shell: GuideShell;
	ports: { http: number; mqtt: number };
	/** A block of the page as it has it, but for the ports. */
	here(block: Block): string;
	start(password: string): Promise<Running>;
}

async function openDesk(): Promise<Desk> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-guide-'));
	const ports = { http: await freePort(), mqtt: await freePort() };
	const env = {
		PORT: String(ports.http),
		MQTT_PORT: String(ports.mqtt),
		DATA_DIR: join(dir, 'data'),
		LOG_LEVEL: 'warn',
		REDIS_URL: '',
		GATEWAY_CONFIG: '',
	};
	// The project's script, as it is run from another folder: the guide's gateway.yaml is not to land in the project.
	const scripts = { gateway: `node ${join(ROOT, 'edge-gateway/src/main.ts')}` };
	await writeFile(join(dir, 'package.json'), JSON.stringify({ private: true, scripts }));
	const shell = openShell(dir, env);
	let server: Running | undefined;
	onTestFinished(async () => {
		shell.close();
		await server?.stop();
		await rm(dir, { recursive: true, force: true });
	});
	return {
		shell,
		ports,
		here: ({ commands }) =>
			commands.replaceAll('127.0.0.1:8080', `127.0.0.1:${ports.http}`).replaceAll('-p 1883', `-p ${ports.mqtt}`),
		async start(password) {
			const entry = { cwd: dir, env: { ...env, DEMO_PASSWORD: password }, ready: /^ready /m, timeoutMs: 60_000 };
			server = await startNode('standalone.ts', entry);
			return server;
		},
	};
}

function passwordIn({ server, commands }: Block): string {
	expect(server).toBe(true);
	const [, password] = /^DEMO_PASSWORD=(\S+) npm start$/.exec(commands.trim())!;
	return password!;
}

/** Follows the page from the creation of the token to its end. */
async function follow({ shell, here }: Desk, blocks: Block[], replayed: { atLeast: number }): Promise<void> {
	const next = () => blocks.shift()!;
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
	const answer = JSON.parse(await shell.run(here(next()))) as { replayed: object[] };
	expect(answer.replayed.length).toBeGreaterThanOrEqual(replayed.atLeast);
	for (const one of answer.replayed) expect(one).toEqual({ id: expect.any(Number), outcome: 'accepted', accepted: 2 });
	await shell.run(here(next()));
	const look = here(next());
	const state = await waitFor('the readings in the room', async () => {
		const seen = await shell.run(look);
		return /peopleCount: \{\s+value: 7,/.test(seen) && /battery: \{\s+value: 87,/.test(seen) ? seen : undefined;
	});
	expect(state).toContain('acme-A7-113');
	expect(blocks).toEqual([]);
}

describe('docs/new-device.md', () => {
	it(
		'leads from a mapping to an adopted device whose values show in its room',
		async () => {
			const desk = await openDesk();
			const blocks = blocksOf('new-device.md');
			expect(await desk.shell.run(desk.here(blocks.shift()!))).toBe('the configuration is valid');
			await desk.start(passwordIn(blocks.shift()!));
			await follow(desk, blocks, { atLeast: 1 });
		},
		PATIENCE_MS,
	);
});

describe('P13 docs/new-device.md on a gateway that has been running', () => {
	it(
		'leads to the same end, while the devices of the demo send and the new one is refused over and over',
		async () => {
			const desk = await openDesk();
			const blocks = blocksOf('new-device.md');
			const [rule, serve] = [blocks.shift()!, blocks.shift()!];
			const password = passwordIn(serve);
			await desk.start(password);
			const api = async <T>(method: string, path: string, account?: string, body?: object): Promise<T> => {
				const answer = await fetch(`http://127.0.0.1:${desk.ports.http}${path}`, {
					method,
					headers: { 'content-type': 'application/json', ...(account && { authorization: `Bearer ${account}` }) },
					...(body && { body: JSON.stringify(body) }),
				});
				expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
				return (await answer.json()) as T;
			};
			const credentials = { email: 'demo@crowdvision.local', password };
			const { token: account } = await api<{ token: string }>('POST', '/auth/login', undefined, credentials);
			const device = { name: 'acme', buildingId: 'demo' };
			const made = await api<{ deviceId: string; token: string }>(
				'POST',
				'/auth/domains/demo/devices',
				account,
				device,
			);
			const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${desk.ports.mqtt}`, {
				username: made.deviceId,
				password: made.token,
			});
			onTestFinished(() => client.endAsync(true));
			const send = (times: number) =>
				Promise.all(
					Array.from({ length: times }, (_, n) =>
						client.publishAsync(
							'acme/A7-113/uplink',
							JSON.stringify({
								serial: 'A7-113',
								at: Math.floor(Date.now() / 1000),
								count: { inside: n },
								battery: 87,
							}),
							{ qos: 1 },
						),
					),
				);
			// Refused, as no rule is for the topic.
			await send(15);
			expect(await desk.shell.run(desk.here(rule))).toBe('the configuration is valid');
			const configuration = () => api<{ state: string; notInForce?: string }>('GET', '/gateway/config', account);
			await waitFor('the trial of the new rule', async () => (await configuration()).state === 'trial');
			// Refused, as the sensor has no room yet: many more than a trial needs for a verdict.
			await send(30);
			await follow(desk, blocks, { atLeast: 46 });
			expect(await configuration()).not.toHaveProperty('notInForce');
		},
		PATIENCE_MS,
	);
});
