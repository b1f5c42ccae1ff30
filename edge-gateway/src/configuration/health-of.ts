import type { Ledger } from '../ledger/ledger.ts';
import type { Health } from './trial.ts';

/**
 * The gateway's health from its ledger and its parts.
 * Of the refusals only those count whose like was taken before: others say nothing about its health.
 * @param parts what is wrong with each part; undefined when it works
 */
export function healthOf(ledger: Ledger, parts: Readonly<Record<string, string | undefined>>): Health {
	const summary = ledger.summary();
	let received = 0;
	for (const tally of Object.values(summary)) received += tally.received;
	const troubles = Object.entries(parts).filter((entry): entry is [string, string] => entry[1] !== undefined);
	return {
		troubles: new Map(troubles),
		received,
		rejected: ledger.regressions.lost,
		serialReceived: summary.serial?.received ?? 0,
		parts: ledger.regressions.parts(),
		imbalance: ledger.imbalance(),
	};
}
