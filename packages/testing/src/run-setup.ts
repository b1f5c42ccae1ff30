/** Runs once before the integration, browser and fault tests: what all of them share is there before the first. */
import { spawnSync } from 'node:child_process';
import { SHARED_MONGO, startMongod, whyNoMongo } from './mongod.ts';
import { ROOT } from './root.ts';

/**
 * Builds the page where its sources changed, and starts one MongoDB server for all files that do not kill theirs.
 * Vitest calls it for each of its projects; the first call does it. Resolves with what ends the server.
 * @throws when the page does not build.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
	if (process.env[SHARED_MONGO] !== undefined) return undefined;
	process.env[SHARED_MONGO] = '';
	if (spawnSync(process.execPath, ['scripts/setup.mjs', 'web'], { cwd: ROOT, stdio: 'inherit' }).status !== 0) {
		throw new Error('the page does not build');
	}
	if (process.env.MONGO_URL || whyNoMongo()) return undefined;
	const mongod = await startMongod();
	process.env[SHARED_MONGO] = mongod.url;
	return () => mongod.stop();
}
