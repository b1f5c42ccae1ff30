import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { BridgeReport } from './link/bridge-report.ts';

const DIRECTIONS = ['in', 'out'] as const;

/** Registers the Prometheus metrics of all bridges, labelled with their names. */
export function registerBridgeMetrics(metrics: Registry, reports: () => BridgeReport[]): void {
	const { gauge, counter } = collectedMetrics(metrics);
	const perBridge = (name: string, help: string, read: (report: BridgeReport) => number) =>
		gauge(name, help, () => reports().map((report) => [{ bridge: report.name }, read(report)] as const), ['bridge']);
	const perDirection = (name: string, help: string, read: (report: BridgeReport, direction: 'in' | 'out') => number) =>
		counter(
			name,
			help,
			() =>
				reports().flatMap((report) =>
					DIRECTIONS.map((direction) => [{ bridge: report.name, direction }, read(report, direction)] as const),
				),
			['bridge', 'direction'],
		);
	perBridge('gateway_bridge_connected', 'Whether the bridge is connected', ({ state }) =>
		Number(state === 'connected'),
	);
	perBridge('gateway_bridge_standby', 'Whether the bridge is on standby because of a loop', ({ standbyFor }) =>
		Number(standbyFor !== undefined),
	);
	perBridge('gateway_bridge_queued', 'Records that the remote does not have yet', ({ queued }) => queued);
	perBridge(
		'gateway_bridge_lag_seconds',
		'Age of the oldest record that the remote does not have yet',
		({ lag }) => lag / 1000,
	);
	perDirection(
		'gateway_bridge_received_total',
		'Messages that came from the remote (in) or are for the remote (out)',
		(report, direction) => report[direction].received,
	);
	perDirection(
		'gateway_bridge_delivered_total',
		'Messages that are durable here (in) or acknowledged by the remote (out)',
		(report, direction) => report[direction].delivered,
	);
	counter(
		'gateway_bridge_dropped_total',
		'Messages that were dropped, by reason',
		() =>
			reports().flatMap((report) =>
				DIRECTIONS.flatMap((direction) =>
					Object.entries(report[direction].dropped).map(
						([reason, count]) => [{ bridge: report.name, direction, reason }, count] as const,
					),
				),
			),
		['bridge', 'direction', 'reason'],
	);
	perDirection('gateway_bridge_repeated_total', 'Messages sent (out) or received (in) again', (report, direction) =>
		direction === 'out' ? report.duplicates.sent : report.duplicates.received,
	);
}
