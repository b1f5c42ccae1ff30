/** Registers the metrics of the gateway as a whole. */
import { TIME_QUALITIES } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { Bridges } from './bridge/bridges.ts';
import type { GatewayMetrics } from './catalog/gateway-metrics.ts';
import type { Clock } from './clock/clock.ts';
import type { Downlink } from './downlink/downlink.ts';
import type { Ledger } from './ledger/ledger.ts';
import { registerLedgerMetrics } from './ledger/ledger-metrics.ts';
import type { Relay } from './log/relay.ts';
import type { AuditTrail } from './occupancy/audit-trail.ts';

/** The parts of the gateway whose state Prometheus reads. Sources and rate limits register their own metrics. */
interface MeasuredParts {
	log: Log;
	clock: Clock;
	ledger: Ledger;
	relay: Relay | undefined;
	downlink: Downlink;
	bridges: Bridges;
	catalog: GatewayMetrics;
	trail: AuditTrail;
	codecWarnings: { counts(): ReadonlyMap<string, number> };
	shapes: { bytes: number; totals: ReadonlyMap<string, number> };
}

/** Registers the metrics of the gateway's log, clock, commands, rooms, relay, ledger and bridges. */
export function registerMetrics(metrics: Registry, parts: MeasuredParts): void {
	const { clock, ledger, relay, downlink, bridges, catalog, trail, codecWarnings, shapes } = parts;
	const { gauge, counter } = collectedMetrics(metrics);
	registerLedgerMetrics(metrics, ledger);
	bridges.register(metrics);
	registerLogMetrics(metrics, parts);
	gauge('gateway_commands_under_way', 'Commands to devices that have no outcome yet', () => downlink.underWay);
	counter(
		'gateway_commands_total',
		'Outcomes of commands that this gateway decided; late: answers that came too late; superseded: another gateway ' +
			'was first; invalid: entries that are no command',
		() => Object.entries(downlink.counts).map(([outcome, count]) => [{ outcome }, count] as const),
		['outcome'],
	);
	gauge(
		'gateway_clock_ahead_seconds',
		"How far the gateway's time is ahead of the system clock",
		() => clock.ahead / 1000,
	);
	gauge('gateway_clock_quality', '0 synced, 1 holdover, 2 unsynced', () => TIME_QUALITIES.indexOf(clock.quality));
	counter(
		'gateway_room_count_events_total',
		'Events of room counts: crossings, first, wrap, reset, jump, late, clamped, zeroing, correction',
		() => [...trail.counts()].map(([cause, count]) => [{ cause }, count] as const),
		['cause'],
	);
	gauge(
		'gateway_metric_conflicts',
		'Metrics of gateway.yaml that another gateway defined first, and differently',
		() => catalog.conflicts().length,
	);
	counter(
		'gateway_codec_warnings_total',
		'Warnings that vendor codecs and network servers gave with decoded payloads, by decoder rule',
		() => [...codecWarnings.counts()].map(([rule, count]) => [{ rule }, count] as const),
		['rule'],
	);
	counter(
		'gateway_shaped_readings_total',
		'Readings that repeat others but for their numbers, and were stored without being parsed, by transport',
		() => [...shapes.totals].map(([transport, count]) => [{ transport }, count] as const),
		['transport'],
	);
	gauge(
		'gateway_shapes_bytes',
		'Memory for the shapes of readings that repeat others but for their numbers, at most 16 MiB',
		() => shapes.bytes,
	);
	if (relay) {
		gauge('gateway_relay_lag', 'Readings in the log that Redis does not have yet', () => relay.stats().lag);
		gauge('gateway_relay_delivered', 'Readings appended to Redis since the start', () => relay.stats().delivered);
		gauge('gateway_relay_lost', 'Readings that were gone from the log before the relay', () => relay.stats().lost);
	}
}

function registerLogMetrics(metrics: Registry, { log }: Pick<MeasuredParts, 'log'>): void {
	const { gauge } = collectedMetrics(metrics);
	gauge('gateway_log_bytes', 'Size of the log on disk, in bytes', () => log.stats().bytes);
	gauge('gateway_log_max_bytes', 'Largest size of the log on disk, in bytes', () => log.stats().maxBytes);
	gauge('gateway_log_end_offset', 'Offset after the newest durable reading', () => log.endOffset);
	gauge(
		'gateway_log_dropped',
		'Readings given up before every consumer had them, since the start: the oldest or newest by policy, thinned, or ' +
			'expired by age',
		() => Object.entries(log.stats().dropped).map(([reason, count]) => [{ reason }, count] as const),
		['reason'],
	);
	gauge('gateway_log_held_bytes', 'Bytes of the log that some consumer has not read yet', () => log.stats().heldBytes);
	gauge(
		'gateway_log_hours_to_full',
		'Hours until the log is full of unread readings at its recent growth; +Inf if it does not grow',
		() => log.stats().hoursToFull,
	);
	gauge('gateway_log_incidents', 'Damaged or missing records found since the start', () => log.stats().incidents);
	gauge(
		'gateway_log_write_failures',
		'Writes to the log that the disk refused since the start; their readings were not acknowledged',
		() => log.stats().failures,
	);
	gauge(
		'gateway_log_held_back',
		'Offsets that consumers do not see yet, because the time is not known',
		() => log.heldBack,
	);
}
