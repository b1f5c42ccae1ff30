import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { mongo } from 'mongoose';

/** A transaction counts as abandoned after this time without a step; ours have milliseconds between steps. */
const ABANDONED_MS = 2000;
/** Running operations are not replicated, so they are read locally. */
const LOCAL = { maxTimeMS: ABANDONED_MS, readConcern: { level: 'local' } } as const;

/**
 * Ends transactions without a step for two seconds, since their process was killed or suspended. The server itself ends
 * them only after more than a minute, and until then nobody else can change what they wrote. A process that was only
 * suspended gets an error and repeats its transaction. Transactions of other users, or of programs with another
 * `appName`, stay untouched. Needs no privileges.
 */
export class AbandonedTransactions {
	readonly #appName: string;
	readonly #logger: PlainLogger;
	#searching = false;
	#refused = false;

	constructor(appName: string, logger: PlainLogger) {
		this.#appName = appName;
		this.#logger = logger;
	}

	/** Finds and ends them, unless a search is under way. Never rejects. */
	async end(client: mongo.MongoClient): Promise<void> {
		if (this.#searching) return;
		this.#searching = true;
		try {
			const admin = client.db('admin');
			const abandoned = await admin.aggregate<{ lsid: { id: mongo.UUID } }>(this.#query(), LOCAL).toArray();
			if (abandoned.length === 0) return;
			await admin.command({ killSessions: abandoned.map(({ lsid: { id } }) => ({ id })), maxTimeMS: ABANDONED_MS });
			this.#logger.warn(
				{ transactions: abandoned.length },
				'MongoDB: abandoned transactions were ended; a process was killed or suspended',
			);
		} catch (error) {
			if (!this.#refused)
				this.#logger.warn(
					{ err: error },
					'MongoDB: abandoned transactions could not be ended; the server ends them after a minute',
				);
			this.#refused = true;
		} finally {
			this.#searching = false;
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
