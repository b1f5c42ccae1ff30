import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { MqttListener } from '../connection/listener.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { LaneCounts } from './reading-lane.ts';

/** Registers the Prometheus metrics of the MQTT source. */
export function registerMqttMetrics(
	metrics: Registry,
	listener: MqttListener,
	sessions: SessionStore,
	counts: { withheld: () => number; overBound: () => number; takeOvers: () => number; lane: LaneCounts },
): void {
	const { gauge, counter } = collectedMetrics(metrics);
	counter(
		'gateway_mqtt_cut_off_total',
		'MQTT connections that the gateway ended, by the statement of the standard that the client broke',
		() => [...listener.cuts].map(([statement, count]) => [{ statement }, count] as const),
		['statement'],
	);
	gauge('gateway_mqtt_connections', 'Open MQTT connections', () => listener.connections.size);
	gauge(
		'gateway_mqtt_sessions',
		'Stored MQTT sessions, including those whose clients are away',
		() => sessions.sessions,
	);
	gauge(
		'gateway_mqtt_waiting',
		'Messages on disk that clients with MQTT sessions have not acknowledged',
		() => sessions.waitingMessages,
	);
	counter(
		'gateway_mqtt_not_kept_total',
		'Messages not stored for a session, or not retained, because a bound was reached',
		() => sessions.dropped,
	);
	counter(
		'gateway_mqtt_sessions_expired_total',
		'MQTT sessions that ended because their client was away for too long',
		() => sessions.expired,
	);
	counter(
		'gateway_mqtt_withheld_total',
		'Messages of QoS 0 that were not sent to a subscriber because it is behind with reading',
		counts.withheld,
	);
	counter(
		'gateway_mqtt_over_bound_total',
		'MQTT sessions and subscriptions that were refused because their device had too many',
		counts.overBound,
	);
	counter(
		'gateway_mqtt_takeovers_total',
		'MQTT connections that ended because another one used the same client id; if it rises, two boards share one',
		counts.takeOvers,
	);
	counter(
		'gateway_mqtt_fast_lane_total',
		'MQTT messages that the broker never saw: way="shape" for those that repeat another but for their numbers',
		() => {
			const { shaped, total } = counts.lane;
			return [
				[{ way: 'shape' }, shaped],
				[{ way: 'whole' }, total - shaped],
			] as const;
		},
		['way'],
	);
}
