/**
 * Writes the fixture of a version: what its product keeps after it was used through its front doors, in both
 * compositions.
 *
 *   node test/upgrade/make-fixture.ts <checkout>
 *
 * `checkout` is a folder with the code of that version and its dependencies; BEFORE in from-fixture.ts names the
 * version. Takes about two minutes. Run by hand, once a version; the files it writes are committed.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { trust } from '@crowdvision/testing/trust';
import { startTopology, type Topology } from '../support/topology.ts';
import { takeAnswers } from './answers.ts';
import { type Contents, fileOf, GATEWAY, SECRETS, type Snapshot, startOn } from './from-fixture.ts';
import { ingest } from './front-door.ts';
import { dumpDatabase, encodeDump } from './mongo-dump.ts';
import { type PutIn, putIn, SERIES } from './put-in.ts';
import { dumpRedis } from './redis-dump.ts';

const run = promisify(execFile);
/** Twin looks every 20 s for quarter-hours to roll up. */
const ROLL_UP_MS = 30_000;

/** Without anything of this machine: owner, group, order of the folder. */
const pack = (archive: string, dir: string, names: string[]) =>
	run('tar', [
		...['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--exclude=*.sock'],
		...['-czf', archive, '-C', dir, ...names],
	]);

async function embedded(checkout: string): Promise<Pick<Contents, 'embedded' | 'killed'>> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-fixture-'));
	const dataDir = join(dir, 'data');
	try {
		const first = await startOn(dataDir, { checkout });
		const put = await putIn(first);
		await first.process.stop();
		const second = await startOn(dataDir, { checkout });
		await pause(ROLL_UP_MS);
		const answers = await takeAnswers(second, put);
		await second.process.stop();
		const snapshot: Snapshot = { stoppedAt: Date.now(), putIn: put, answers };
		await pack(`${fileOf('data')}.tar.gz`, dataDir, ['.']);

		const third = await startOn(dataDir, { checkout });
		const acknowledged = await sendUntilKilled(third, put);
		await third.process.kill();
		const killed = { stoppedAt: Date.now(), acknowledged };
		await pack(`${fileOf('data')}-killed.tar.gz`, dataDir, ['.']);
		return { embedded: snapshot, killed };
	} finally {
		await rm(dir, { recursive: true, force: true });
	}
}

/** Readings one by one, each acknowledged. */
async function sendUntilKilled(door: Awaited<ReturnType<typeof startOn>>, { devices }: PutIn) {
	const place = SERIES['hall temperature'];
	const began = Date.now();
	const readings = Array.from({ length: 40 }, (_, n) => ({ ...place, value: 20 + (n % 5), observedAt: began + n }));
	for (const reading of readings) await ingest(door, devices.gate.token, reading);
	return readings.map(({ sensorId, metric, value, observedAt }) => ({ sensorId, metric, value, observedAt }));
}

async function distributed(checkout: string): Promise<Snapshot> {
	const topology = await startTopology({
		checkout,
		replicas: { notification: 1, socket: 1 },
		env: SECRETS,
		gateway: GATEWAY,
	});
	try {
		trust(topology.caFile);
		const put = await putIn(topology);
		await terminate(topology);
		for (const program of topology.programs) await program.killAndRestart();
		await topology.ready();
		await pause(ROLL_UP_MS);
		const answers = await takeAnswers(topology, put);
		await terminate(topology);
		const stoppedAt = Date.now();
		const databases = [...topology.databases].map(async ([name, url]) => [name, await dumpDatabase(url)] as const);
		const dump = Object.fromEntries(await Promise.all(databases));
		await writeFile(`${fileOf('mongo')}.json.gz`, gzipSync(encodeDump(dump)));
		await writeFile(join(topology.dir, 'redis.resp'), await dumpRedis(topology.redis));
		const folders = topology.programs.map(({ name }) => name);
		await pack(`${fileOf('distributed')}.tar.gz`, topology.dir, ['redis.resp', ...folders]);
		return { stoppedAt, putIn: put, answers };
	} finally {
		await topology.stop();
	}
}

async function terminate({ programs }: Topology): Promise<void> {
	for (const program of programs) {
		const { code } = await program.terminate();
		if (code !== 0) throw new Error(`${program.name} ended with ${code}\n${program.said()}`);
	}
}

const [checkout] = process.argv.slice(2);
if (checkout === undefined) throw new Error('usage: node test/upgrade/make-fixture.ts <checkout>');
const path = resolve(checkout);
const contents: Contents = { ...(await embedded(path)), distributed: await distributed(path) };
await writeFile(`${fileOf('contents')}.json.gz`, gzipSync(JSON.stringify(contents)));
