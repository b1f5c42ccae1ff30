import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCommitWorker } from '@crowdvision/log';
import { createLogger, Lifecycle, Registry, Tokens } from '@crowdvision/service-kit';
import { DiskRecording } from '@crowdvision/testing/disk-recording';
import { type DiskState, diskStates, everythingOf, readTree, writeTree } from '@crowdvision/testing/disk-states';
import { seedOf, statesOf } from '@crowdvision/testing/fault-parameters';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { seeded } from '@crowdvision/testing/seeded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayConfigOf } from '../../src/configuration/gateway-config.ts';
import { adoptSensor } from '../../src/control/device-commands.ts';
import { openStorage, openTelemetryLog } from '../../src/gateway/storage.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

/** States of the disk from which the gateway's parts are opened; a few of them also start the whole program. */
const STATES = statesOf(40);
const PROGRAM_STARTS = Math.ceil(STATES / 60);
const SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(SECRET);
/** Files that are not the gateway's own format: SQLite's, and what only a running process needs. */
const ASIDE = /(^|\/)(lock|why\.sock)$/;

let dir: string;
let memory: string;
beforeAll(async () => {
	memory = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'crowdvision-power-'));
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-power-'));
	await writeFile(join(dir, 'gateway.yaml'), 'gatewayId: power\n');
});
afterAll(() => Promise.all([dir, memory].map((folder) => rm(folder, { recursive: true, force: true }))));

interface Life {
	dataDir: string;
	url: string;
	mqttUrl: string;
	running: Running;
}

/** Starts the gateway as its own program. */
async function startGateway(dataDir: string, env: Record<string, string> = {}): Promise<Life> {
	const [port, mqttPort] = [await freePort(), await freePort()];
	const running = await startNode('edge-gateway/src/main.ts', {
		env: {
			PORT: String(port),
			MQTT_PORT: String(mqttPort),
			DATA_DIR: dataDir,
			GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'warn',
			...env,
		},
		ready: /^ready /m,
		timeoutMs: 60_000,
	});
	return { dataDir, url: `http://127.0.0.1:${port}`, mqttUrl: `mqtt://127.0.0.1:${mqttPort}`, running };
}

/** What the gateway has promised, one promise after the other; each is a mark of the recording. */
async function promiseEverything({ url, mqttUrl, dataDir }: Life, mark: (text: string) => void, round: number) {
	const token = await tokens.signDevice({ id: 'sender', domainName: 'acme', buildingId: 'b1' });
	const own = { sensorIds: ['door-1', 'mqtt-1'], buildingId: 'b1' };
	const deviceToken = await tokens.signDevice({ id: 'door-1', domainName: 'acme', ...own });
	const staff = await tokens.signAccount({
		id: 'a1',
		name: 'Ada',
		memberships: [{ domainName: 'acme', role: 'business_admin' }],
	});
	const post = (path: string, body: unknown, bearer = token) =>
		fetch(`${url}${path}`, {
			method: 'POST',
			headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
			body: JSON.stringify(body),
		});
	const place = { buildingId: 'b1', roomId: 'hall' };

	const client = await mqttClient(mqttUrl, 'door-1', deviceToken, { clean: false, clientId: `life-${round}` });
	await client.subscribeAsync('command/door-1', { qos: 1 });
	mark(`subscribed door-1/life-${round}`);
	await client.publishAsync('status/door-1', `online`, { qos: 1, retain: true });
	mark('retained status/door-1');
	for (let n = 0; n < 6; n++) {
		const seq = round * 100 + n;
		const answer = await post('/ingest', [
			{ sensorId: 'temp-1', metric: 'temperature', value: 20 + n, seq, ...place },
			{ sensorId: 'door-1', metric: 'peopleIn', value: 1, seq, ...place },
		]);
		expect(answer.status).toBe(202);
		mark(`reading temp-1 ${seq}`);
		mark(`crossing door-1 ${seq}`);
		const topic = 'telemetry/b1/hall/mqtt-1';
		await client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400 + n, seq }), { qos: 1 });
		mark(`reading mqtt-1 ${seq}`);
	}
	const refused = await post('/ingest', { sensorId: `wrong-${round}`, metric: 'temperature', value: 999, ...place });
	expect(refused.status).toBe(422);
	mark(`rejected wrong-${round}`);
	await post('/ingest', { sensorId: `new-${round}`, metric: 'temperature', value: 21 });
	await adoptSensor(dataDir, [`new-${round}`, 'b1', 'hall']);
	mark(`adopted new-${round}`);
	const command = await post('/devices/door-1/command', { name: 'blink', timeoutMs: 600_000 }, staff);
	expect(command.status, await command.clone().text()).toBe(202);
	mark(`command ${((await command.json()) as { id: string }).id}`);
	await client.endAsync();
}

/** Two lives of a gateway on a recorded disk: one that ends in order, one that is killed. */
async function recorded(): Promise<DiskRecording> {
	const recording = new DiskRecording(join(dir, 'recorded'), join(dir, 'trace'));
	for (const round of [1, 2]) {
		const life = await startGateway(recording.folder, recording.env());
		await promiseEverything(life, (text) => recording.mark(text), round);
		if (round === 1) expect(await life.running.stop()).toEqual({ code: 0, signal: null });
		else await life.running.kill();
	}
	return recording;
}

/** Opens everything that the gateway keeps on a disk as a power cut left it, and says what is not as promised. */
async function wrongIn({ marks }: DiskState, dataDir: string): Promise<string[]> {
	const wrong: string[] = [];
	const logger = createLogger('test', 'silent');
	const lifecycle = new Lifecycle(logger);
	try {
		const config = gatewayConfigOf({ DATA_DIR: dataDir, JWT_SECRET: SECRET, LOG_LEVEL: 'silent' }, '');
		const worker = lifecycle.own('worker', startCommitWorker(), (part) => part.close());
		const { log, clock } = await openTelemetryLog({ config, worker, logger, lifecycle });
		const parts = { config, log, clock, worker, bus: undefined, tokens, logger, metrics: new Registry() };
		const storage = await openStorage(parts, lifecycle);

		const readings: { sensorId: string; seq: number }[] = [];
		for (let next = log.startOffset; ; ) {
			const read = await log.read(next);
			if (read.next === next) break;
			next = read.next;
			for (const { payload } of read.records) readings.push(JSON.parse(payload.toString()));
		}
		const times = (sensorId: string, seq: number) =>
			readings.filter((reading) => reading.sensorId === sensorId && reading.seq === seq).length;
		const refusals = await storage.rejected.list({}, 1000, () => true);
		let crossed = 0;
		for (const mark of marks) {
			const [what, name, seq] = mark.split(' ') as [string, string, string];
			if (what === 'reading' && times(name, Number(seq)) !== 1)
				wrong.push(`${mark} is there ${times(name, Number(seq))} times`);
			if (what === 'crossing') crossed++;
			if (what === 'rejected' && !refusals.some(({ sensorId }) => sensorId === name)) wrong.push(`${mark} is gone`);
			if (what === 'adopted' && storage.adoptions.of(name)[0]?.roomId !== 'hall') wrong.push(`${mark} is gone`);
			if (what === 'command' && !storage.commands.has(name)) wrong.push(`${mark} is gone`);
			const subscriptions = await storage.sessions.subscriptionsByClient({ id: name });
			if (what === 'subscribed' && subscriptions.length !== 1) wrong.push(`${mark} is gone`);
			const retained = await storage.sessions.createRetainedStream(name).toArray();
			if (what === 'retained' && retained.length !== 1) wrong.push(`${mark} is gone`);
		}
		const people = storage.rooms.occupancy.room('b1', 'hall')?.count ?? 0;
		// The last crossing may have reached the disk without its acknowledgement.
		if (people < crossed || people > crossed + 1) wrong.push(`${people} people after ${crossed} crossings`);
	} catch (error) {
		wrong.push(`it does not start: ${(error as Error).stack}`);
	}
	await lifecycle.stop();
	return wrong;
}

describe('P15 the gateway after a power cut', () => {
	it('has all that it acknowledged: readings, crossings, sessions, refusals, adoptions and commands', {
		timeout: 3_600_000,
	}, async () => {
		const recording = await recorded();
		const events = recording.events();
		const actual = [...readTree(recording.folder)].filter(([path]) => !ASIDE.test(path));
		const replayed = [...everythingOf(events)].filter(([path]) => !ASIDE.test(path));
		expect(new Map(replayed)).toEqual(new Map(actual));

		const wrong: Record<string, string[]> = {};
		let states = 0;
		for (const state of diskStates({ events, limit: STATES, random: seeded(seedOf(16)) })) {
			const dataDir = join(memory, `state-${states++}`);
			writeTree(state.tree, dataDir);
			const found = await wrongIn(state, dataDir);
			if (found.length > 0) wrong[`event ${state.cut}: ${state.what}`] = found.slice(0, 5);
			if (Object.keys(wrong).length >= 5) break;
			await rm(dataDir, { recursive: true });
			if (states % Math.ceil(STATES / PROGRAM_STARTS) !== 1) continue;
			writeTree(state.tree, dataDir);
			const { running } = await startGateway(dataDir);
			expect(await running.stop()).toEqual({ code: 0, signal: null });
			await rm(dataDir, { recursive: true });
		}
		expect(wrong).toEqual({});
		expect(states).toBeGreaterThan(STATES / 8);
	});

	it('does not start twice on one data folder, and says which process uses it', async () => {
		const dataDir = join(dir, 'locked');
		const first = await startGateway(dataDir);
		const before = await fetch(`${first.url}/readyz`);
		const second = startGateway(dataDir);
		await expect(second).rejects.toThrow(
			new RegExp(`cannot start: ${dataDir}/gateway is in use by process ${first.running.pid} `),
		);
		expect((await fetch(`${first.url}/readyz`)).status).toBe(before.status);
		await first.running.kill();
		await (await startGateway(dataDir)).running.stop();
	});
});
