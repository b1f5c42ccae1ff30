import type { Ledger } from '../ledger/ledger.ts';
import type { Health } from './probation.ts';

/** How the gateway does: by its ledger, and by what its parts say of themselves. */
export function healthOf(ledger: Ledger, parts: Readonly<Record<string, string | undefined>>): Health {
	let received = 0;
	let rejected = 0;
	for (const account of Object.values(ledger.summary())) {
		received += account.received;
		for (const count of Object.values(account.rejected)) rejected += count;
	}
	const troubles = Object.entries(parts).filter((entry): entry is [string, string] => entry[1] !== undefined);
	return { troubles: new Map(troubles), received, rejected, imbalance: ledger.imbalance() };
}
