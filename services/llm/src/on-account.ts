import { TABLES, type TableName } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { Conversations } from './conversations/conversations.ts';

/** The part of the bus that this needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/** Accounts waiting for their conversations to be deleted. */
const MAX_WAITING = 100_000;

/** Deletes the conversations of accounts that were deleted; what fails now is deleted at the next start. */
export function followAccounts({
	bus,
	conversations,
	logger,
}: {
	bus: Watchable;
	conversations: Conversations;
	logger: Logger;
}): Promise<{ close(): Promise<void> }> {
	const queue = new SerialQueue(MAX_WAITING);
	return bus.watch(TABLES.removedAccounts, (accountId, value) => {
		if (value === null) return;
		queue
			.run(() => conversations.closeAccount(accountId))
			.catch((error: unknown) =>
				logger.warn({ err: error, accountId }, 'the conversations of a deleted account could not be deleted'),
			);
	});
}
