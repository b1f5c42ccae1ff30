import type { TallySummary } from '@crowdvision/contracts';
import type { CursorBalance } from '@crowdvision/log';
import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { Ledger } from './ledger.ts';

type Counts = number | Record<string, number>;

/** Registers the ledger's counts: by transport, by cursor on the log, and every imbalance. */
export function registerLedgerMetrics(registry: Registry, ledger: Ledger): void {
	registerSources(registry, ledger);
	registerCursors(registry, ledger);
	collectedMetrics(registry).gauge(
		'gateway_ledger_imbalance',
		'Received and not accounted for, by source, port, bridge, rule, log and cursor; each must be 0',
		() => ledger.imbalances().map(({ ledger: kind, name, imbalance }) => [{ ledger: kind, name }, imbalance] as const),
		['ledger', 'name'],
	);
}

function registerSources(registry: Registry, ledger: Ledger): void {
	const counter = (name: string, help: string, read: (tally: TallySummary) => Counts) =>
		collectedMetrics(registry).counter(
			name,
			help,
			() => Object.entries(ledger.summary()).flatMap(([transport, tally]) => samples({ transport }, read(tally))),
			['transport', 'reason'],
		);
	counter('gateway_readings_received_total', 'Readings that arrived, valid or not', ({ received }) => received);
	counter('gateway_readings_accepted_total', 'Readings that are durable in the log', ({ accepted }) => accepted);
	counter('gateway_readings_duplicate_total', 'Recognized redeliveries', ({ duplicates }) => duplicates);
	counter('gateway_readings_deferred_total', 'Readings whose sender was told to try again', ({ deferred }) => deferred);
	counter('gateway_device_restarts_total', 'Restarts inferred from a seq that began again', ({ restarts }) => restarts);
	counter('gateway_readings_rejected_total', 'Refused readings, by reason', ({ rejected }) => rejected);
	counter('gateway_readings_ignored_total', 'Readings left out on purpose, by reason', ({ ignored }) => ignored);
	counter(
		'gateway_readings_dropped_total',
		'Readings given up before they were stored, by reason',
		({ dropped }) => dropped,
	);
}

function registerCursors(registry: Registry, ledger: Ledger): void {
	const gauge = (name: string, help: string, read: (balance: CursorBalance) => Counts) =>
		collectedMetrics(registry).gauge(
			name,
			help,
			() => Object.entries(ledger.cursors()).flatMap(([cursor, balance]) => samples({ cursor }, read(balance))),
			['cursor', 'reason'],
		);
	gauge(
		'gateway_cursor_appended',
		'Readings that were for a consumer of the log, since the start',
		(one) => one.appended,
	);
	gauge('gateway_cursor_delivered', 'Readings that a consumer of the log got, since the start', (one) => one.delivered);
	gauge('gateway_cursor_queued', 'Readings that wait in the log for a consumer', (one) => one.queued);
	gauge(
		'gateway_cursor_lost',
		'Readings that were gone from the log before a consumer got them, by reason',
		(one) => one.lost,
	);
}

/** One sample, or one for each reason. */
function samples(labels: Record<string, string>, counts: Counts): [Record<string, string>, number][] {
	if (typeof counts === 'number') return [[labels, counts]];
	return Object.entries(counts).map(([reason, count]) => [{ ...labels, reason }, count]);
}
