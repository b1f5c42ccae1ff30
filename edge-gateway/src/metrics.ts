import { TIME_QUALITIES } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { Bridges } from './bridge/bridges.ts';
import type { Clock } from './clock/clock.ts';
import type { Downlink } from './downlink/downlink.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Relay } from './log/relay.ts';
import type { AuditTrail } from './occupancy/audit-trail.ts';

/** What Prometheus reads of the gateway. */
export function registerMetrics(
	metrics: Registry,
	parts: {
		log: Log;
		clock: Clock;
		ledger: Ledger;
		relay: Relay | undefined;
		downlink: Downlink;
		bridges: Bridges;
		trail: AuditTrail;
	},
): void {
	const { log, clock, ledger, relay, downlink, bridges, trail } = parts;
	const { gauge, counter } = collectedMetrics(metrics);
	ledger.register(metrics);
	bridges.register(metrics);
	gauge('gateway_log_bytes', 'Bytes of the log on disk', () => log.stats().bytes);
	gauge('gateway_log_max_bytes', 'Bound of the log on disk', () => log.stats().maxBytes);
	gauge('gateway_log_end_offset', 'Offset after the newest durable reading', () => log.endOffset);
	gauge(
		'gateway_log_dropped',
		'Readings given up before every consumer had them, since the start: oldest and newest by policy, thinned, or expired by age',
		() => Object.entries(log.stats().dropped).map(([reason, count]) => [{ reason }, count] as const),
		['reason'],
	);
	gauge('gateway_log_held_bytes', 'Bytes of the log that some consumer has still to read', () => log.stats().heldBytes);
	gauge(
		'gateway_log_hours_to_full',
		'Hours until the log is full of what must be held, as it has grown lately; +Inf where it does not grow',
		() => log.stats().hoursToFull,
	);
	gauge('gateway_log_incidents', 'Damage found in the log since the start', () => log.stats().incidents);
	gauge('gateway_commands_under_way', 'Commands to devices that have no outcome yet', () => downlink.underWay);
	counter(
		'gateway_commands_total',
		'Outcomes of commands said by this gateway; late: answers nobody waited for; superseded: another gateway was first; invalid: no command',
		() => Object.entries(downlink.counts).map(([outcome, count]) => [{ outcome }, count] as const),
		['outcome'],
	);
	gauge(
		'gateway_log_held_back',
		'Offsets that readers do not see yet, because the time is not known',
		() => log.heldBack,
	);
	gauge('gateway_clock_ahead_seconds', "How far the gateway's time is ahead of the system's", () => clock.ahead / 1000);
	gauge('gateway_clock_quality', '0 synced, 1 holdover, 2 unsynced', () => TIME_QUALITIES.indexOf(clock.quality));
	counter(
		'gateway_room_count_events_total',
		'What happened to the counts of rooms: crossings, first, wrap, reset, jump, late, clamped, zeroing, correction',
		() => [...trail.counts()].map(([cause, count]) => [{ cause }, count] as const),
		['cause'],
	);
	if (relay) {
		gauge('gateway_relay_lag', 'Readings in the log that Redis does not have yet', () => relay.stats().lag);
		gauge('gateway_relay_delivered', 'Readings appended to Redis since the start', () => relay.stats().delivered);
		gauge('gateway_relay_lost', 'Readings the relay was told are lost from the log', () => relay.stats().lost);
	}
}
