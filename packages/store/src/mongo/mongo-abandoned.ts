import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { mongo } from 'mongoose';

/** Between two steps of a transaction of ours lie milliseconds. */
const ABANDONED_MS = 2000;
/** What runs is no document: a majority has not seen it. */
const HERE = { maxTimeMS: ABANDONED_MS, readConcern: { level: 'local' } } as const;

/**
 * Ends transactions in which nothing was done for two seconds: their process was killed, or stands still. The server
 * itself gives them up after a minute and more, and until then nobody else can change what they wrote to. One that only
 * stood still is told so, and does its transaction again. Of other users, and of programs with another `appName`, none
 * is touched. It takes no privileges.
 */
export class AbandonedTransactions {
	readonly #appName: string;
	readonly #logger: PlainLogger;
	#looking = false;
	#refused = false;

	constructor(appName: string, logger: PlainLogger) {
		this.#appName = appName;
		this.#logger = logger;
	}

	/** Looks for them, unless it is looking already. Never rejects. */
	async end(client: mongo.MongoClient): Promise<void> {
		if (this.#looking) return;
		this.#looking = true;
		try {
			const admin = client.db('admin');
			const abandoned = await admin.aggregate<{ lsid: { id: mongo.UUID } }>(this.#query(), HERE).toArray();
			if (abandoned.length === 0) return;
			await admin.command({ killSessions: abandoned.map(({ lsid: { id } }) => ({ id })), maxTimeMS: ABANDONED_MS });
			this.#logger.warn(
				{ transactions: abandoned.length },
				'MongoDB: transactions that nobody went on with were ended; a process was killed or stood still',
			);
		} catch (error) {
			if (!this.#refused)
				this.#logger.warn(
					{ err: error },
					'MongoDB: abandoned transactions cannot be ended from here; the server ends them after a minute',
				);
			this.#refused = true;
		} finally {
			this.#looking = false;
		}
	}

	#query(): object[] {
		return [
			{ $currentOp: { allUsers: false, idleSessions: true } },
			{
				$match: {
					type: 'idleSession',
					appName: this.#appName,
					'transaction.parameters.autocommit': false,
					'transaction.timeInactiveMicros': { $gt: ABANDONED_MS * 1000 },
				},
			},
			{ $project: { 'lsid.id': 1 } },
			{ $limit: 100 },
		];
	}
}
