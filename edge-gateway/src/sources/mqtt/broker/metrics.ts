import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { MqttListener } from '../connection/listener.ts';
import type { SessionStore } from '../sessions/session-store.ts';

/** What Prometheus reads of the MQTT listener. */
export function registerMqttMetrics(
	metrics: Registry,
	listener: MqttListener,
	sessions: SessionStore,
	told: { withheld: () => number; overBound: () => number },
): void {
	const { gauge, counter } = collectedMetrics(metrics);
	counter(
		'gateway_mqtt_cut_off_total',
		'MQTT connections that were ended by the gateway, by the statement of the standard that was broken',
		() => [...listener.cuts].map(([statement, count]) => [{ statement }, count] as const),
		['statement'],
	);
	gauge('gateway_mqtt_connections', 'MQTT connections that are open', () => listener.connections.size);
	gauge(
		'gateway_mqtt_sessions',
		'MQTT sessions that are kept, also while their clients are away',
		() => sessions.sessions,
	);
	gauge(
		'gateway_mqtt_waiting',
		'Messages on disk that MQTT sessions have not acknowledged',
		() => sessions.waitingMessages,
	);
	counter(
		'gateway_mqtt_not_kept_total',
		'Messages not kept for a session, or not retained, because a bound was reached',
		() => sessions.dropped,
	);
	counter(
		'gateway_mqtt_sessions_expired_total',
		'Sessions that ended because their client was away for too long',
		() => sessions.expired,
	);
	counter(
		'gateway_mqtt_withheld_total',
		'Messages of QoS 0 that a subscriber which is behind with reading did not get',
		told.withheld,
	);
	counter(
		'gateway_mqtt_over_bound_total',
		'Sessions and subscriptions that were refused because their device had too many',
		told.overBound,
	);
}
