import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { InviteView } from '@crowdvision/contracts';
import { startMongod, whyNoMongod } from '@crowdvision/testing/mongod';
import { ROOT } from '@crowdvision/testing/root';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startStandalone } from '../e2e/standalone.ts';
import { request } from '../e2e/world.ts';

const run = promisify(execFile);
const TIMEOUT = 180_000;
const SERVICES = ['auth', 'llm', 'notification', 'twin'];
const ADA = { email: 'ada@example.org', password: 'correct horse', name: 'Ada' };

/** The marked blocks of docs/operations.md. */
const page = await readFile(join(ROOT, 'docs', 'operations.md'), 'utf8');
const BLOCKS = new Map(
	[...page.matchAll(/^```sh ([\w-]+)\n(.*?)^```$/gms)].map(([, name, block]) => [name!, block!] as const),
);

/** A folder in which a person stands, as on one machine. */
async function machine(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'crowdvision-machine-'));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	return folder;
}

/** Runs a block of the page in a shell; `mongo`: where that machine's MongoDB has its files. */
const follow = (cwd: string, name: string, mongo = '') =>
	run('/bin/sh', ['-ec', BLOCKS.get(name)!.replaceAll('/var/lib/mongodb', mongo)], { cwd });

interface Machine {
	http: string;
	stop(): Promise<void>;
}

async function start(cwd: string, signing: string, mongoUrl: string | undefined): Promise<Machine> {
	const whole = await startStandalone({
		...{ DATA_DIR: join(cwd, 'data'), DEMO: '0', JWT_SIGNING: signing, MONGO_URL: mongoUrl },
	});
	let isStopped = false;
	const stop = async () => {
		if (!isStopped) await whole.stop();
		isStopped = true;
	};
	onTestFinished(stop);
	return { http: whole.http, stop };
}

const login = async (http: string) =>
	(await request<{ token: string }>(http, 'POST', '/auth/login', { body: ADA })).token;
const invites = async (http: string, token: string) =>
	(await request<{ invites: InviteView[] }>(http, 'GET', '/auth/domains/north/invites', { token })).invites;

/** Makes an account, a domain, a building, a device and a conversation; resolves with what has to be there again. */
async function furnish(http: string) {
	const { token } = await request<{ token: string }>(http, 'POST', '/auth/register', { body: ADA });
	await request(http, 'POST', '/auth/domains', { token, body: { name: 'north' } });
	const own = await login(http);
	const building = { id: 'school', domains: ['north'], rooms: [{ id: 'gym', capacity: 10, ...PLACED }] };
	await request(http, 'POST', '/twin/buildings', { token: own, body: building });
	const body = { name: 'door', buildingId: 'school' };
	const device = await request<{ token: string }>(http, 'POST', '/auth/domains/north/devices', { token: own, body });
	await request(http, 'POST', '/llm/ask', { token: own, body: { question: 'How many people are in the gym?' } });
	return { device: device.token, secrets: (await invites(http, own)).map(({ secret }) => secret) };
}
const PLACED = { position: { x: 0, y: 0, z: 0 }, dimensions: { width: 5, height: 3, depth: 5 } };

async function expectAll(http: string, { device, secrets }: { device: string; secrets: string[] }): Promise<void> {
	expect((await fetch(`${http}/readyz`)).status).toBe(200);
	const token = await login(http);
	expect((await invites(http, token)).map(({ secret }) => secret)).toEqual(secrets);
	const { buildings } = await request<{ buildings: object[] }>(http, 'GET', '/twin/buildings', { token });
	expect(buildings).toMatchObject([{ id: 'school' }]);
	const { conversations } = await request<{ conversations: object[] }>(http, 'GET', '/llm/conversations', { token });
	expect(conversations).toHaveLength(1);
	const reading = { sensorId: 'door-1', buildingId: 'school', roomId: 'gym', metric: 'peopleCount', value: 12 };
	expect(await request(http, 'POST', '/ingest', { token: device, body: reading })).toEqual({ accepted: 1 });
	await waitFor('the alert of the room that is over its capacity', async () => {
		const { alerts } = await request<{ alerts: { roomId: string }[] }>(http, 'GET', '/notification/alerts', { token });
		return alerts.some(({ roomId }) => roomId === 'gym');
	});
}

describe.each(['secret', 'keypair'])(
	'P14 a backup made and restored as docs/operations.md says, signing by %s',
	(signing) => {
		it(
			'is complete on another machine, on SQLite',
			async () => {
				const [first, second] = [await machine(), await machine()];
				let running = await start(first, signing, undefined);
				const known = await furnish(running.http);
				await running.stop();
				// The first backup of each service follows soon after a start; on a busy machine it came before the data.
				await rm(join(first, 'data', 'backups'), { recursive: true, force: true });
				running = await start(first, signing, undefined);
				await waitFor(
					'the backups',
					async () => {
						const found = await readdir(join(first, 'data', 'backups')).catch(() => [] as string[]);
						return SERVICES.every((name) => found.some((file) => new RegExp(`^${name}-.*\\.sqlite$`).test(file)));
					},
					120_000,
				);
				await follow(first, 'backup');
				await running.stop();
				await run('cp', [join(first, 'crowdvision.tgz'), second]);
				await rm(first, { recursive: true });
				await follow(second, 'restore');
				await expectAll((await start(second, signing, undefined)).http, known);
			},
			TIMEOUT,
		);

		it.skipIf(whyNoMongod())(
			'is complete on another machine, on MongoDB',
			async () => {
				const [first, second] = [await machine(), await machine()];
				const mongod = await startMongod();
				onTestFinished(() => mongod.stop());
				const url = `${mongod.url}/crowdvision`;
				const running = await start(first, signing, url);
				const known = await furnish(running.http);
				await follow(first, 'backup');
				await running.stop();
				await mongod.kill('SIGTERM');
				await follow(first, 'mongo-backup', mongod.dir);
				await run('sh', ['-c', `cp "${first}"/*.tgz "${second}"`]);
				// The other machine: nothing of the first is left, and its server has the same address.
				await rm(first, { recursive: true });
				await rm(mongod.dir, { recursive: true });
				await mkdir(mongod.dir);
				await follow(second, 'mongo-restore', mongod.dir);
				await follow(second, 'restore');
				await mongod.restart();
				await expectAll((await start(second, signing, url)).http, known);
			},
			TIMEOUT,
		);
	},
);
