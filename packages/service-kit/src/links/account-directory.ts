import { type RetainedAccount, TABLES, type TableName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';

/** The part of the bus that a directory needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/** All accounts, as auth retains them on the bus. One that is not known is a member of nothing. */
export class AccountDirectory {
	readonly #accounts = new Map<string, RetainedAccount>();
	readonly #logger: Logger;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Follows the bus until closed; resolves once every present account is known. */
	follow(bus: Watchable): Promise<{ close(): Promise<void> }> {
		return bus.watch(TABLES.accounts, (accountId, value) => this.#apply(accountId, value));
	}

	get(accountId: string): RetainedAccount | undefined {
		return this.#accounts.get(accountId);
	}

	#apply(accountId: string, value: string | null): void {
		this.#accounts.delete(accountId);
		if (value === null) return;
		try {
			this.#accounts.set(accountId, JSON.parse(value) as RetainedAccount);
		} catch (error) {
			this.#logger.error({ err: error, accountId }, 'a retained account could not be read');
		}
	}
}
