import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationStatus } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { startMosquitto } from '@crowdvision/testing/mosquitto';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { type SerialLine, serialLine } from '../../src/testing/serial-line.ts';

const JWT_SECRET = 'a secret for tests only, of more than 32 characters';
const MAIN = 'edge-gateway/src/main.ts';
const READY = /^ready (http:\/\/\S+) (mqtt:\/\/127\.0\.0\.1:\d+)$/m;
const tokens = new Tokens(JWT_SECRET);

let dir: string;
let running: Running | undefined;
let line: SerialLine;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-configuration-'));
	line = await serialLine();
});
afterEach(async () => {
	await running?.kill();
	running = undefined;
	await rm(dir, { recursive: true, force: true });
});

/** A gateway.yaml with one door on the serial line; `trial` in seconds. */
const yaml = (trial: number, { room = 'hall', more = '' } = {}) => `# written by hand
configuration: {trial: ${trial}s}
sources:
  serial:
    - {path: ${line.path}, defaults: {sensorId: door, buildingId: b1${room && `, roomId: ${room}`}}}
${more}`;
const write = (text: string) => writeFile(join(dir, 'gateway.yaml'), text);

const environment = () => ({
	PORT: '0',
	MQTT_PORT: '0',
	HOST: '127.0.0.1',
	DATA_DIR: join(dir, 'data'),
	JWT_SECRET,
	LOG_LEVEL: 'info',
	REDIS_URL: undefined,
	GATEWAY_CONFIG: undefined,
});

async function start(): Promise<Running> {
	running = await startNode(MAIN, { env: environment(), cwd: dir, ready: READY });
	return running;
}

/** Runs a command of the gateway to its end. */
async function command(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
	const child = await startNode(MAIN, { args, env: environment(), cwd: dir });
	const { code } = await child.exited;
	return { code, stdout: child.stdout(), stderr: child.stderr() };
}

async function status(): Promise<ConfigurationStatus> {
	const token = await tokens.signAccount({
		id: 'a',
		name: 'Ada',
		memberships: [{ domainName: 'acme', role: 'business_admin' }],
	});
	const answer = await fetch(`${running!.ready[1]}/config`, { headers: { authorization: `Bearer ${token}` } });
	expect(answer.status).toBe(200);
	return (await answer.json()) as ConfigurationStatus;
}

const metrics = async () => (await fetch(`${running!.ready[1]}/metrics`)).text();

const statusIs = (what: string, is: (now: ConfigurationStatus) => unknown) =>
	waitFor(
		what,
		async () => {
			const now = await status();
			return is(now) ? now : undefined;
		},
		30_000,
	);

/** Sends a count of the door ten times a second until `stop`. */
function keepCounting(): { stop(): void; accepted(): number } {
	let seq = 0;
	const timer = setInterval(
		() => void line.send({ metric: 'peopleCount', value: 3, seq: ++seq }).catch(() => undefined),
		100,
	);
	return {
		stop: () => clearInterval(timer),
		accepted: () => line.answers.filter((answer) => answer.startsWith('ACK')).length,
	};
}

describe('P11 a configuration cannot brick the gateway', () => {
	it('applies a change while it runs without dropping a connection, and confirms it after the trial', async () => {
		await write(yaml(2));
		await start();
		const client = await mqttClient(
			running!.ready[2]!,
			'd1',
			await tokens.signDevice({ id: 'd1', domainName: 'acme', buildingId: 'b1' }),
		);
		const closed: string[] = [];
		client.on('close', () => closed.push('closed'));
		await line.send({ metric: 'peopleCount', value: 1, seq: 1 });
		await line.answered('ACK 1');

		const second = await serialLine();
		await write(
			yaml(2, { more: `    - {path: ${second.path}, defaults: {sensorId: door-2, buildingId: b1, roomId: lab}}\n` }),
		);
		expect(await statusIs('the trial', ({ state }) => state === 'trial')).toMatchObject({
			needsRestart: [],
			until: expect.any(Number),
		});
		await waitFor('the second door to be accepted', async () => {
			await second.send({ metric: 'peopleCount', value: 2, seq: 1 });
			return second.answers.includes('ACK 1');
		});
		await line.send({ metric: 'peopleCount', value: 1, seq: 2 });
		await line.answered('ACK 2');
		await statusIs('the end of the trial', ({ state }) => state === 'confirmed');
		await client.publishAsync('telemetry/b1/hall/d1/co2', '500', { qos: 1 });
		expect(closed).toEqual([]);
	});

	it('names changed options that only the next start reads', async () => {
		await write(yaml(1));
		await start();
		await write(yaml(1, { more: 'gatewayId: another\nlog: {maxBytes: 1GiB}\n' }));
		expect(await statusIs('the trial', ({ needsRestart }) => needsRestart.length > 0)).toMatchObject({
			needsRestart: ['gatewayId', 'log'],
		});
	});

	it('reports the place of a mistake in the file, and keeps the old configuration until it is fixed', async () => {
		await write(yaml(1));
		await start();
		await write(yaml(1).replace('trial:', 'tril:'));
		const { notInForce, state } = await statusIs('the mistake', (now) => now.notInForce);
		expect([state, notInForce]).toEqual([
			'confirmed',
			'./gateway.yaml:2:17: configuration.tril is not known here; known are trial',
		]);
		await line.send({ metric: 'peopleCount', value: 1, seq: 1 });
		await line.answered('ACK 1');
		await write(yaml(1));
		await statusIs('the corrected file', (now) => now.notInForce === undefined);
	});

	it('starts with the last configuration that worked if the file has mistakes', async () => {
		await write(yaml(1));
		await start();
		await running!.stop();
		await write('sources: [');
		await start();
		expect((await status()).notInForce).toMatch(/^\.\/gateway\.yaml:1:\d+: /);
		await line.send({ metric: 'peopleCount', value: 1, seq: 1 });
		await line.answered('ACK 1');
	});

	it('reverts a change by itself if readings are refused since', async () => {
		await write(yaml(60));
		await start();
		const door = keepCounting();
		await waitFor('some counts of the door to be accepted', () => door.accepted() > 30);
		await write(yaml(60, { room: '' }));
		const { notInForce } = await statusIs('the change to be undone', (now) => now.notInForce);
		expect(notInForce).toMatch(/^it was tried and undone: \d+ % of the readings are refused, before it was 0 %$/);
		const before = door.accepted();
		await waitFor('counts of the door to be accepted again', () => door.accepted() > before + 5);
		door.stop();
	});

	it('reverts a change by itself if a bridge no longer reaches its remote', async () => {
		const mosquitto = await startMosquitto();
		onTestFinished(async () => void (await mosquitto.stop()));
		const bridge = (url: string) =>
			`bridges:\n  - {name: campus, url: "${url}", topics: [{pattern: "telemetry/#", direction: out}]}\n`;
		const connected = async () => /gateway_bridge_connected\{bridge="campus"\} 1/.test(await metrics());
		await write(yaml(30, { more: bridge(mosquitto.url) }));
		await start();
		await waitFor('the bridge to be connected', connected);
		await write(yaml(30, { more: bridge(`mqtt://127.0.0.1:${await freePort()}`) }));
		const { notInForce } = await statusIs('the change to be undone', (now) => now.notInForce);
		expect(notInForce).toMatch(/^it was tried and undone: bridge campus worked before and no longer does: /);
		await waitFor('the bridge to be connected again', connected);
	});

	it('does not start again with a change during whose trial it was killed', async () => {
		await write(yaml(60));
		await start();
		await write(yaml(60, { room: 'lab' }));
		await statusIs('the trial', ({ state }) => state === 'trial');
		await running!.kill('SIGKILL');
		await start();
		expect(await status()).toMatchObject({
			state: 'confirmed',
			notInForce: 'it was tried and undone: the gateway ended while it was on trial',
		});
		// Writing the file again starts another trial.
		await write(yaml(60, { room: 'lab' }));
		await statusIs('the trial', ({ state }) => state === 'trial');
	});

	it('continues a trial after a regular stop, and tries a change that was made while it was stopped', async () => {
		await write(yaml(1));
		await start();
		await running!.stop();
		await write(yaml(60, { room: 'lab' }));
		await start();
		expect((await status()).state).toBe('trial');
		expect(await running!.stop()).toMatchObject({ code: 0 });
		await start();
		expect(await status()).toMatchObject({ state: 'trial' });
		expect(await status()).not.toHaveProperty('notInForce');
	});

	it('dry-runs another file on the last messages, and reports the differences without applying it', async () => {
		const mapping = (value: string) =>
			`decoders:
  - topic: "acme/+/uplink"
    use: jsonata
    mapping: '{"sensorId": id, "metric": "peopleCount", "value": ${value}}'
    defaults: {buildingId: b1, roomId: hall}
`;
		await write(yaml(60, { more: mapping('n') }));
		await start();
		const client = await mqttClient(
			running!.ready[2]!,
			'd1',
			await tokens.signDevice({ id: 'd1', domainName: 'acme', buildingId: 'b1' }),
		);
		await client.publishAsync('acme/7/uplink', '{"id":"cam","n":3,"count":{"in_room":4}}', { qos: 1 });
		await client.publishAsync('telemetry/b1/hall/d1/co2', '500', { qos: 1 });
		await line.send({ metric: 'peopleCount', value: 1, seq: 1 });
		await line.answered('ACK 1');

		const other = join(dir, 'other.yaml');
		await writeFile(other, yaml(60, { room: '', more: mapping('count.in_room') }));
		const result = await command('dry-run', other);
		expect(result).toMatchObject({ code: 0, stderr: '' });
		const lines = result.stdout.split('\n');
		expect(lines[0]).toBe(`${other}, tried on the last 3 messages: 1 have the same result, 2 another one.`);
		expect(lines).toContain('  as it is       3 taken, 0 without a reading, 0 refused');
		expect(lines).toContain('  as it would be 2 taken, 0 without a reading, 1 refused');
		expect(lines).toContain('  - cam peopleCount 3 person in b1/hall');
		expect(lines).toContain('  + cam peopleCount 4 person in b1/hall');
		expect(lines).toContain('  - door peopleCount 1 person in b1/hall');
		expect(result.stdout).toMatch(/\+ refused: unknown_sensor: /);
		expect(await status()).toMatchObject({ state: 'confirmed', needsRestart: [] });
		expect(await metrics()).toMatch(/gateway_readings_accepted_total\{transport="mqtt"\} 2/);

		await writeFile(other, 'sources: {seriell: []}');
		expect(await command('dry-run', other)).toMatchObject({
			code: 1,
			stderr: expect.stringContaining(`${other}:1:11: sources.seriell is not known here`),
		});
		await running!.stop();
		await writeFile(other, yaml(60));
		expect((await command('dry-run', other)).stderr).toContain('no gateway runs on');
	});
});
