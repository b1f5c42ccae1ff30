import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection } from 'mongoose';
import { findProgram } from './processes.ts';
import { ROOT } from './root.ts';
import { type ServerInFolder, startInFolder, withUrl } from './server-in-folder.ts';

export interface MongodOptions {
	/** Its name; false for a standalone server, which has no transactions. */
	replicaSet?: string | false;
	/** Whether it removes what has expired, looking every second. Default no: tests store what was observed long ago. */
	expires?: boolean;
	/** Further arguments. */
	extra?: string[];
}

export interface Mongod extends ServerInFolder {
	/** Without a database: add `/name`. */
	readonly url: string;
}

/** Where the run's set-up names the server that the files of a run share. */
export const SHARED_MONGO = 'CROWDVISION_TEST_MONGO';

const CACHE = join(ROOT, '.cache', 'mongod');
let found: string | undefined | null = null;

/**
 * The path of a mongod that runs on this system: installed, or fetched by scripts/setup.mjs. Undefined where there is
 * none.
 */
function findMongod(): string | undefined {
	if (found === null) {
		const candidates = [findProgram('mongod'), join(CACHE, 'mongod')].filter(
			(path) => path !== undefined && existsSync(path),
		);
		found = candidates.find(
			(path) => spawnSync(path!, ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0,
		);
	}
	return found;
}

/**
 * Why tests that start their own MongoDB server are skipped here, for `describe.skipIf` and for a person; undefined
 * where they are not.
 */
export function whyNoMongod(): string | undefined {
	if (findMongod()) return undefined;
	const why = join(CACHE, 'why-not.txt');
	const told = existsSync(why) ? readFileSync(why, 'utf8') : 'install mongod, or run: node scripts/setup.mjs test';
	return `there is no MongoDB server (${told})`;
}

/** Why tests on MongoDB are skipped here; undefined where MONGO_URL names a server or one can be started. */
export const whyNoMongo = () => (process.env.MONGO_URL ? undefined : whyNoMongod());

/**
 * A real mongod on a free loopback port, a replica set of one that whoever connects first must initiate (the store
 * does).
 * @throws when there is no mongod, or it ends before it is ready; with what it said.
 */
export async function startMongod({
	replicaSet = 'test',
	expires = false,
	extra = [],
}: MongodOptions = {}): Promise<Mongod> {
	const program = findMongod();
	if (!program) throw new Error(whyNoMongod());
	const parameters = ['diagnosticDataCollectionEnabled=false', `ttlMonitorEnabled=${expires}`, 'ttlMonitorSleepSecs=1'];
	const server = await startInFolder('mongod', {
		program,
		args: (dir, port) => [
			...[
				'--port',
				`${port}`,
				'--bind_ip',
				'127.0.0.1',
				'--dbpath',
				dir,
				'--nounixsocket',
				'--wiredTigerCacheSizeGB',
				'0.25',
			],
			...(replicaSet === false ? [] : ['--replSet', replicaSet, '--oplogSize', '128']),
			...parameters.flatMap((parameter) => ['--setParameter', parameter]),
			...extra,
		],
		ready: /Waiting for connections/,
		timeoutMs: 60_000,
	});
	return withUrl(server, `mongodb://127.0.0.1:${server.port}`);
}

export interface MongoForTests {
	/** A database that nobody else uses; another one with every call. */
	database(): string;
	/** Drops such a database. */
	drop(url: string): Promise<void>;
	/** Drops those databases that are left, or ends the server that was started for them. */
	stop(): Promise<void>;
}

/**
 * The server that MONGO_URL names, else the one that the run's set-up started for all files, else one of its own.
 * @throws as startMongod.
 */
export async function mongoForTests(): Promise<MongoForTests> {
	const named = process.env.MONGO_URL || process.env[SHARED_MONGO];
	const own = named ? undefined : await startMongod();
	const urls = new Set<string>();
	const drop = async (url: string) => {
		const connection = await createConnection(url, { serverSelectionTimeoutMS: 5000 }).asPromise();
		await connection.dropDatabase();
		await connection.close();
		urls.delete(url);
	};
	return {
		database() {
			const url = new URL(named ?? own!.url);
			url.pathname = `/crowdvision-test-${randomUUID().slice(0, 13)}`;
			urls.add(url.href);
			return url.href;
		},
		drop,
		async stop() {
			if (own) await own.stop();
			else for (const url of urls) await drop(url);
		},
	};
}
