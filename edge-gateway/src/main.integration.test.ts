import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = 'edge-gateway/src/main.ts';
const JWT_SECRET = 'a secret for tests only, of more than 32 characters';
const READY = /^ready (http:\/\/\S+) mqtt:\/\/127\.0\.0\.1:\d+$/m;

let dir: string;
let running: Running | undefined;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-main-'));
});
afterEach(async () => {
	await running?.kill();
	running = undefined;
	await rm(dir, { recursive: true, force: true });
});

const env = (more: Record<string, string> = {}) => ({
	PORT: '0',
	MQTT_PORT: '0',
	HOST: '127.0.0.1',
	DATA_DIR: join(dir, 'data'),
	JWT_SECRET,
	LOG_LEVEL: 'warn',
	REDIS_URL: undefined,
	GATEWAY_CONFIG: undefined,
	...more,
});

async function start(): Promise<string> {
	running = await startNode(MAIN, { env: env(), cwd: dir, ready: READY });
	return running.ready[1]!;
}

/** Runs the program until it exits. */
async function run(
	args: string[],
	more?: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
	const child = await startNode(MAIN, { args, env: env(more), cwd: dir });
	const { code } = await child.exited;
	return { code, stdout: child.stdout(), stderr: child.stderr() };
}

describe('the count of a room', () => {
	it('survives a stop and a kill -9 after it, from the checkpoint and the log after it', async () => {
		const token = await new Tokens(JWT_SECRET).signDevice({ id: 'door', domainName: 'local', buildingId: 'b' });
		let seq = 0;
		const cross = async (url: string, metric: 'peopleIn' | 'peopleOut', value: number) => {
			const body = JSON.stringify({ sensorId: 'door', metric, value, seq: ++seq, buildingId: 'b', roomId: 'hall' });
			const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
			expect((await fetch(`${url}/ingest`, { method: 'POST', headers, body })).status).toBe(202);
		};
		const first = await start();
		await cross(first, 'peopleIn', 10);
		expect(await running!.stop()).toEqual({ code: 0, signal: null });
		const second = await start();
		await cross(second, 'peopleOut', 3);
		await cross(second, 'peopleIn', 1);
		await running!.kill('SIGKILL');
		const third = await start();
		await cross(third, 'peopleIn', 5);
		await running!.stop();
		const { counts } = await lastCount();
		expect(counts).toEqual([10, 7, 8, 13]);
	});

	/** What the log holds, read when nobody writes it. */
	async function lastCount(): Promise<{ counts: number[] }> {
		const { Log, startCommitWorker } = await import('@crowdvision/log');
		const worker = startCommitWorker();
		const log = await Log.open({ dir: join(dir, 'data', 'gateway', 'log'), worker });
		const counts: number[] = [];
		for (let next = log.startOffset; ; ) {
			const read = await log.read(next);
			if (read.next === next) break;
			next = read.next;
			for (const { payload } of read.records) counts.push((JSON.parse(payload.toString()) as { value: number }).value);
		}
		await log.close();
		await worker.close();
		return { counts };
	}
});

describe('npm run gateway', () => {
	it('-- check reports that the configuration is valid, or every mistake, and opens nothing', async () => {
		await writeFile(join(dir, 'gateway.yaml'), 'log:\n  maxBytes: 1GiB\n');
		expect(await run(['check'])).toEqual({ code: 0, stdout: 'the configuration is valid\n', stderr: '' });
		await writeFile(join(dir, 'gateway.yaml'), 'log:\n  maxBytes: much\n  whenful: refuse\n');
		const { code, stdout, stderr } = await run(['check'], { PORT: 'x' });
		expect([code, stdout]).toEqual([1, '']);
		expect(stderr.trim().split('\n')).toEqual([
			'PORT is "x", but must be a whole number from 0 to 65535',
			'./gateway.yaml:2:13: log.maxBytes must be a size such as 512MiB',
			'./gateway.yaml:3:3: log.whenful is not known here; known are maxBytes, maxAge, whenFull, commitEvery',
		]);
	});

	it('-- token prints a token that the gateway accepts, also with a secret of its own', async () => {
		const made = await run(['token', '--device', 'd1', '--building', 'b', '--sensors', 's1,s2'], { JWT_SECRET: '' });
		expect(made).toMatchObject({ code: 0, stderr: '' });
		const { JWT_SECRET: _secret, ...without } = env();
		running = await startNode(MAIN, { env: { ...without, JWT_SECRET: undefined }, cwd: dir, ready: READY });
		const post = (sensorId: string) =>
			fetch(`${running!.ready[1]}/ingest`, {
				method: 'POST',
				headers: { authorization: `Bearer ${made.stdout.trim()}`, 'content-type': 'application/json' },
				body: JSON.stringify({ sensorId, metric: 'co2', value: 400, roomId: 'hall' }),
			});
		expect([(await post('s1')).status, (await post('s3')).status]).toEqual([202, 403]);
	});

	it('prints its usage for options that it does not understand', async () => {
		const [nonsense, incomplete] = await Promise.all([run(['nonsense']), run(['token', '--devise', 'd'])]);
		for (const { code, stderr } of [nonsense, incomplete]) {
			expect(code).toBe(1);
			expect(stderr).toMatch(/^usage: npm run gateway/);
		}
	});

	it('exits with 1 and names the port that is in use', async () => {
		const url = await start();
		const second = await run([], { PORT: new URL(url).port, DATA_DIR: join(dir, 'other') });
		expect(second.code).toBe(1);
		expect(second.stderr).toContain(`port ${new URL(url).port} on 127.0.0.1 is in use`);
	});
});
