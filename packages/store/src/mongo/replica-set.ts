import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepTrying } from '@crowdvision/service-kit/retry';
import { type Connection, type ConnectOptions, createConnection, type mongo } from 'mongoose';
import type { MongoAddress } from './address.ts';

const ELECTION_TIMEOUT_MS = 20_000;
const ALREADY = ['AlreadyInitialized', 'ConfigurationInProgress', 'NewReplicaSetConfigurationIncompatible'];

/** Runs `work` on a connection of its own. */
export async function withConnection<T>(
	url: string,
	options: ConnectOptions,
	work: (connection: Connection) => Promise<T>,
): Promise<T> {
	const connection = createConnection();
	connection.on('error', () => {});
	try {
		return await work(await connection.openUri(url, options));
	} finally {
		await connection.close().catch(() => {});
	}
}

/**
 * Transactions need a replica set, even of one member. A single server that was started as a replica set but not
 * initiated is initiated here, under the host name by which it was reached; several services may try that at once.
 * @throws CrowdVisionError `unavailable` while it has no primary; Error if the server is not a replica set.
 */
export async function ensureReplicaSet(
	url: string,
	address: MongoAddress,
	options: ConnectOptions,
	logger: PlainLogger,
): Promise<void> {
	if (!address.single) return;
	await withConnection(url, { ...options, directConnection: true }, async (connection) => {
		const admin = connection.getClient().db('admin');
		const hello = () => admin.command({ hello: 1 });
		const first = await hello();
		if (first.msg === 'isdbgrid' || first.setName !== undefined) return;
		if (!first.isreplicaset) {
			throw new Error(
				`the MongoDB server at ${address.hosts} runs as a standalone, without transactions: start it with ` +
					'--replSet rs0 (or replication.replSetName in mongod.conf); one server is enough, the rest is set up for you',
			);
		}
		if (await initiate(admin, address.hosts))
			logger.info({ host: address.hosts }, 'the MongoDB server is now a replica set of one');
		const noPrimary = new CrowdVisionError('unavailable', 'The database has no primary', {}, 1);
		const assertPrimary = async () => {
			if (!(await hello()).isWritablePrimary) throw noPrimary;
		};
		await keepTrying(assertPrimary, {
			what: 'waiting for a primary',
			firstMs: 20,
			longestMs: 500,
			withinMs: ELECTION_TIMEOUT_MS,
			retryIf: (error) => error === noPrimary,
		});
	});
}

/** Resolves with whether this call initiated it. */
async function initiate(admin: mongo.Db, host: string): Promise<boolean> {
	const { parsed } = await admin.command({ getCmdLineOpts: 1 });
	const name: string = parsed.replication.replSetName ?? parsed.replication.replSet;
	try {
		await admin.command({ replSetInitiate: { _id: name, members: [{ _id: 0, host }] } });
		return true;
	} catch (error) {
		if (ALREADY.includes((error as { codeName?: string }).codeName ?? '')) return false;
		throw error;
	}
}
