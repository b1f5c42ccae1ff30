import { TABLES, type TableName } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';

/** The part of the bus that this needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

const MAX_WAITING = 100_000;
const BATCH = 100;

/** Deletes devices and preferences of accounts that were deleted; what fails now is deleted at the next start. */
export function followRemovedAccounts(
	bus: Watchable,
	store: Store,
	logger: Logger,
): Promise<{ close(): Promise<void> }> {
	const queue = new SerialQueue(MAX_WAITING);
	const forget = async (accountId: string) => {
		for (const name of ['preferences', 'subscriptions']) {
			const collection = store.collection<{ accountId: string }>(name);
			for (;;) {
				const batch = await collection.find({ where: { accountId }, limit: BATCH });
				if (batch.length > 0) await store.commit(batch.map(({ id }) => collection.remove(id)));
				if (batch.length < BATCH) break;
			}
		}
	};
	return bus.watch(TABLES.removedAccounts, (accountId, value) => {
		if (value === null) return;
		queue
			.run(() => forget(accountId))
			.catch((error: unknown) => logger.warn({ err: error, accountId }, 'a deleted account could not be forgotten'));
	});
}
