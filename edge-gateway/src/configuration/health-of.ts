import type { Ledger } from '../ledger/ledger.ts';
import type { Health } from './trial.ts';

/**
 * The gateway's health from its ledger and its parts.
 * @param parts what is wrong with each part; undefined when it works
 */
export function healthOf(ledger: Ledger, parts: Readonly<Record<string, string | undefined>>): Health {
	let received = 0;
	let rejected = 0;
	for (const tally of Object.values(ledger.summary())) {
		received += tally.received;
		for (const count of Object.values(tally.rejected)) rejected += count;
	}
	const troubles = Object.entries(parts).filter((entry): entry is [string, string] => entry[1] !== undefined);
	return { troubles: new Map(troubles), received, rejected, imbalance: ledger.imbalance() };
}
