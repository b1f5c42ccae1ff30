import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationStatus, Rejection } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import type { MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const JWT_SECRET = 'a secret for tests only, of more than 32 characters';
const READY = /^ready (http:\/\/\S+) (mqtt:\/\/127\.0\.0\.1:\d+)$/m;
const tokens = new Tokens(JWT_SECRET);

const mapping = (value: string, more = '') =>
	`  - topic: "acme/+/uplink"
    use: jsonata
    mapping: '{"sensorId": "acme-" & serial, "metric": "peopleCount", "value": ${value}${more}}'
`;

describe('P13 a configuration that takes in new devices on a running gateway', () => {
	let dir: string;
	let running: Running | undefined;
	let client: MqttClient;
	const write = (rules: string, trial = 4) =>
		writeFile(join(dir, 'gateway.yaml'), `configuration: {trial: ${trial}s}\n${rules && `decoders:\n${rules}`}`);
	beforeEach(async () => {
		dir = await mkdtemp(join(tmpdir(), 'crowdvision-new-devices-'));
		await write('');
		const env = {
			PORT: '0',
			MQTT_PORT: '0',
			HOST: '127.0.0.1',
			DATA_DIR: join(dir, 'data'),
			JWT_SECRET,
			REDIS_URL: undefined,
			GATEWAY_CONFIG: undefined,
		};
		running = await startNode('edge-gateway/src/main.ts', { env, cwd: dir, ready: READY, timeoutMs: 60_000 });
		const token = await tokens.signDevice({ id: 'hub', domainName: 'acme', buildingId: 'b1' });
		client = await mqttClient(running.ready[2]!, 'hub', token);
	});
	afterEach(async () => {
		await running?.kill();
		await rm(dir, { recursive: true, force: true });
	});

	async function call<T>(method: string, path: string, body?: object): Promise<T> {
		const memberships = [{ domainName: 'acme', role: 'business_admin' as const }];
		const token = await tokens.signAccount({ id: 'a', name: 'Ada', memberships });
		const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
		const answer = await fetch(`${running!.ready[1]}${path}`, {
			method,
			headers,
			...(body && { body: JSON.stringify(body) }),
		});
		expect(answer.status, `${method} ${path}`).toBeLessThan(300);
		return (await answer.json()) as T;
	}
	const statusIs = (what: string, is: (now: ConfigurationStatus) => unknown) =>
		waitFor(
			what,
			async () => {
				const now = await call<ConfigurationStatus>('GET', '/config');
				return is(now) ? now : undefined;
			},
			30_000,
		);
	const open = async () => (await call<{ rejected: Rejection[] }>('GET', '/rejected')).rejected;
	const uplink = (serial: string, more: object) =>
		client.publishAsync(`acme/${serial}/uplink`, JSON.stringify({ serial, ...more }), { qos: 1 });
	const canonical = (value: number) =>
		client.publishAsync('telemetry/b1/hall/near', JSON.stringify({ metric: 'co2', value }), { qos: 1 });

	it('stays in force although the sensors are still to be adopted, and the way in works to its end', async () => {
		// The gateway has been running: it takes readings of some, and refuses strangers.
		for (let i = 0; i < 20; i++) await canonical(400 + i);
		for (let i = 0; i < 5; i++) await uplink('A7', { n: i });
		await write(mapping('n'));
		await statusIs('the trial', ({ state }) => state === 'trial');
		for (let i = 0; i < 40; i++) {
			await uplink('A7', { n: i });
			await uplink('A8', { n: i });
			await canonical(500);
		}
		expect(await statusIs('the end of the trial', ({ state }) => state === 'confirmed')).not.toHaveProperty(
			'notInForce',
		);
		const refused = await open();
		expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['bad_request', 'unknown_sensor']));
		for (const sensorId of ['acme-A7', 'acme-A8'])
			await call('POST', `/devices/${sensorId}/adopt`, { buildingId: 'b1', roomId: 'hall' });
		const { replayed } = await call<{ replayed: { outcome: string }[] }>('POST', '/rejected/replay', {
			filter: { topic: 'acme/+/uplink' },
		});
		expect(replayed.map(({ outcome }) => outcome)).toEqual(refused.map(() => 'accepted'));
		expect(await open()).toEqual([]);
	});

	it('is undone if it loses a sensor that was taken in before', async () => {
		const placed = ', "roomId": "hall"';
		await write(mapping('n', placed), 2);
		await statusIs('the first rule to be confirmed', ({ state, since }) => state === 'confirmed' && since > 0);
		await waitFor('the first rule', async () => {
			await uplink('A7', { n: 1 });
			const { text } = await call<{ text: string }>('GET', '/trace?sensor=acme-A7');
			return /^peopleCount 1/.test(text);
		});
		await statusIs('the rule to be confirmed', ({ state }) => state === 'confirmed');
		await write(mapping('count.inside', placed), 30);
		const undone = await waitFor(
			'the change to be undone',
			async () => {
				await uplink('A7', { n: 2 });
				await canonical(400);
				return (await call<ConfigurationStatus>('GET', '/config')).notInForce;
			},
			30_000,
		);
		expect(undone).toMatch(
			/^it was tried and undone: \d+ % of the readings of the rule acme\/\+\/uplink are refused, before it was 0 %$/,
		);
	});
});

describe('P13 a message that is refused', () => {
	let world: GatewayWorld;
	const staff = () => world.account({ domainName: 'acme', role: 'business_staff' });
	const start = async (settings = {}) => {
		world = await openGatewayWorld({ settings });
	};
	afterEach(async () => {
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
		await world.stop();
	});
	const post = async (body: unknown, path = '/ingest', headers: Record<string, string> = {}) =>
		world.call('POST', path, { token: await world.token('hub'), body, headers });
	const get = async (path: string) => (await world.call('GET', path, { token: await staff() })).body;
	const adopt = async (sensorId: string) =>
		expect(
			await world.call('POST', `/devices/${sensorId}/adopt`, {
				token: await staff(),
				body: { buildingId: 'b1', roomId: 'hall' },
			}),
		).toMatchObject({ status: 200 });
	const replay = async (filter: object) =>
		(await world.call('POST', '/rejected/replay', { token: await staff(), body: { filter } })).body.replayed;

	it('is read again by the rule for its content type, also if that is application/json', async () => {
		const mapped = '{"sensorId": "c-" & id, "metric": "peopleCount", "value": n}';
		await start({ decoders: [{ contentType: 'application/json', use: 'jsonata', mapping: mapped }] });
		expect(await post({ id: 7, n: 3 })).toMatchObject({ status: 422 });
		await adopt('c-7');
		expect(await replay({ sensor: 'c-7' })).toMatchObject([{ outcome: 'accepted', accepted: 1 }]);
		expect(await world.stored()).toMatchObject([{ sensorId: 'c-7', metric: 'peopleCount', value: 3 }]);
	});

	it('names every stranger in it at once: one round of adopting is enough', async () => {
		const mapped = 'list.{"sensorId": id, "metric": "co2", "value": v}';
		await start({ decoders: [{ path: 'hub', use: 'jsonata', mapping: mapped }] });
		const strangers = ['new-1', 'new-2', 'new-3'];
		expect(await post({ list: strangers.map((id) => ({ id, v: 400 })) }, '/ingest/hub')).toMatchObject({ status: 422 });
		const array = ['new-4', 'new-5'].map((sensorId) => ({ sensorId, metric: 'co2', value: 500 }));
		expect(await post([...array, { ...array[0], value: 501 }])).toMatchObject({ status: 422 });
		const all = [...strangers, 'new-4', 'new-5'];
		const { quarantined } = (await get('/devices')) as { quarantined: { sensorId: string }[] };
		expect(quarantined.map(({ sensorId }) => sensorId).toSorted()).toEqual(all);
		for (const sensorId of all) {
			expect(await get(`/trace?sensor=${sensorId}`)).toMatchObject({ verdict: 'unknown_device' });
			await adopt(sensorId);
		}
		const outcomes = (await replay({ code: 'unknown_sensor' })) as { outcome: string }[];
		expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
		expect((await world.stored()).map(({ sensorId }) => sensorId).toSorted()).toEqual([...all, 'new-4'].toSorted());
	});

	it('shows no token of the vendor in list, trace and quarantine, on disk neither, and can be replayed', async () => {
		const mapped = '{"sensorId": "v-" & id, "metric": "peopleCount", "value": n}';
		await start({ decoders: [{ path: 'vendor', use: 'jsonata', mapping: mapped }] });
		const secret = 'vendor-s3cr3t-0815';
		const body = {
			access_token: secret,
			auth: { password: secret },
			url: `https://x.example/?key=${secret}`,
			id: 7,
			n: 3,
		};
		expect(await post(body, '/ingest/vendor')).toMatchObject({ status: 422 });
		const seen = [
			await get('/rejected'),
			await get('/devices'),
			await get('/trace?sensor=v-7'),
			await get('/trace?topic=POST%20/ingest/vendor'),
		];
		expect(JSON.stringify(seen)).not.toContain(secret);
		expect(JSON.stringify(seen[0])).toContain('(secret)');
		expect(await filesWith(world.dataDir, secret)).toEqual([]);
		await adopt('v-7');
		expect(await replay({ sensor: 'v-7' })).toMatchObject([{ outcome: 'accepted', accepted: 1 }]);
		expect(await world.stored()).toMatchObject([{ sensorId: 'v-7', value: 3 }]);
	});
});

/** The files below a folder that contain a text. */
async function filesWith(dir: string, text: string): Promise<string[]> {
	const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
	const found: string[] = [];
	for (const { parentPath, name } of files)
		if ((await readFile(join(parentPath, name))).includes(text)) found.push(name);
	return found;
}
