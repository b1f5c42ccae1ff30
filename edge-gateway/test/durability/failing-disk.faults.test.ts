import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLogFolder } from '@crowdvision/log';
import { Tokens } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { findProgram, type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(SECRET);
const MIB = 1024 * 1024;

const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

/** Whether this process may mount; with `image`, also a file as a disk. */
function mayMount(image: boolean): boolean {
	const at = join(tmpdir(), `crowdvision-mount-${process.pid}`);
	try {
		mkdirSync(at);
		run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', at);
		if (image) {
			writeFileSync(join(at, 'disk'), '');
			run('losetup', '--version');
		}
		run('umount', at);
		return !image || findProgram('mkfs.ext4') !== undefined;
	} catch {
		return false;
	} finally {
		rmSync(at, { recursive: true, force: true });
	}
}
const isRoot = process.getuid?.() === 0;
const withTmpfs = isRoot && mayMount(false);
const withExt4 = withTmpfs && mayMount(true);
if (!withExt4)
	process.stdout.write('*** REAL FULL AND READ-ONLY DISKS ARE NOT TESTED: this user may not mount; run as root\n');

let dir: string;
let disk: string;
let token: string;
let running: Running | undefined;
let url: string;
beforeAll(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-disk-'));
	disk = join(dir, 'disk');
	mkdirSync(disk);
	await writeFile(join(dir, 'gateway.yaml'), 'gatewayId: disk\n');
	token = await tokens.signDevice({ id: 'd', domainName: 'acme', buildingId: 'b1' });
});
afterEach(async () => {
	await running?.kill();
	run('sh', '-c', `umount -l ${disk} 2>/dev/null || true`);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function start(): Promise<void> {
	const [port, mqttPort] = [await freePort(), await freePort()];
	url = `http://127.0.0.1:${port}`;
	running = await startNode('edge-gateway/src/main.ts', {
		env: {
			PORT: String(port),
			MQTT_PORT: String(mqttPort),
			DATA_DIR: join(disk, 'data'),
			GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'silent',
		},
		ready: /^ready /m,
		timeoutMs: 60_000,
	});
}

/** Sends readings until one is refused, or `count`. Resolves with the refusal; acknowledged ones go into the list. */
async function send(acknowledged: number[], from: number, count: number): Promise<Response | undefined> {
	for (let seq = from; seq < from + count; seq++) {
		const answer = await fetch(`${url}/ingest`, {
			method: 'POST',
			headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
			body: JSON.stringify({ sensorId: 's', metric: 'co2', value: 400, seq, buildingId: 'b1', roomId: 'hall' }),
		});
		if (answer.status !== 202) return answer;
		acknowledged.push(seq);
	}
	return undefined;
}

const ready = async () => (await fetch(`${url}/readyz`)).status;

/** The seqs in the log on disk, oldest first. */
const stored = () =>
	[...readLogFolder(join(disk, 'data/gateway/log')).newestFirst()]
		.map(({ payload }) => (JSON.parse(payload.toString()) as { seq: number }).seq)
		.reverse();

describe('P15 a disk that fails while the gateway runs', () => {
	it.skipIf(!withTmpfs)(
		'and is full: nothing is acknowledged that is not stored, readiness says so, and it goes on when there is room',
		async () => {
			run('mount', '-t', 'tmpfs', '-o', 'size=8m', 'none', disk);
			await start();
			const acknowledged: number[] = [];
			expect(await send(acknowledged, 1, 20)).toBeUndefined();
			expect(await ready()).toBe(200);
			run('sh', '-c', `cat /dev/zero > ${disk}/filler 2>/dev/null || true`);
			const refusal = await send(acknowledged, 100, 5000);
			expect(refusal?.status).toBe(503);
			expect(Number(refusal!.headers.get('retry-after'))).toBeGreaterThan(0);
			expect(await ready()).toBe(503);
			expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^gateway_log_write_failures\S* [1-9]/m);
			rmSync(join(disk, 'filler'));
			// Nobody has to send anything for it to notice.
			await waitFor('readiness', async () => (await ready()) === 200);
			expect(await send(acknowledged, 10_000, 20)).toBeUndefined();
			await running!.kill();
			expect(stored()).toEqual(acknowledged);
		},
	);

	it.skipIf(!withExt4)(
		'and becomes read-only: nothing more is acknowledged, it ends in order, and a start on the mended disk has all',
		async () => {
			const image = join(dir, 'image');
			writeFileSync(image, '');
			truncateSync(image, 32 * MIB);
			run('mkfs.ext4', '-q', image);
			run('mount', '-o', 'loop,errors=remount-ro', image, disk);
			await start();
			const acknowledged: number[] = [];
			expect(await send(acknowledged, 1, 20)).toBeUndefined();
			// As ext4 does when the disk reports an error.
			run('mount', '-o', 'remount,abort', disk);
			const refusal = await send(acknowledged, 100, 5);
			expect(acknowledged).toHaveLength(20);
			expect(refusal?.status).toBe(503);
			expect(await ready()).toBe(503);
			expect(await running!.stop()).toMatchObject({ signal: null });
			run('umount', disk);
			run('sh', '-c', `fsck.ext4 -y ${image} >/dev/null; test $? -le 2`);
			run('mount', '-o', 'loop', image, disk);
			await start();
			expect(await send(acknowledged, 100, 5)).toBeUndefined();
			await running!.stop();
			expect(stored()).toEqual(acknowledged);
		},
	);
});
