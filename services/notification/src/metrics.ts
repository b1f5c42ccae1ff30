import type { Alert } from '@crowdvision/contracts';
import { Counter, Gauge, type Registry } from '@crowdvision/service-kit';

/** The metrics of notification, without the leader's gauge, which `LEADER_GAUGE` describes. */
export function notificationMetrics(registry: Registry, imbalance: () => Promise<number>) {
	const changes = new Counter({
		name: 'notification_alerts_total',
		help: 'Alerts opened and resolved',
		labelNames: ['kind', 'state'],
		registers: [registry],
	});
	const messages = new Counter({
		name: 'notification_deliveries_total',
		help: 'Messages about alerts that were settled, by channel and outcome',
		labelNames: ['channel', 'status'],
		registers: [registry],
	});
	new Gauge({
		name: 'notification_delivery_imbalance',
		help: 'Messages that were decided and are not accounted for, over the latest decisions; 0 unless some were lost',
		registers: [registry],
		async collect() {
			// A store that is away says nothing about messages.
			await imbalance().then(
				(value) => this.set(value),
				() => undefined,
			);
		},
	});
	return {
		settled: (channel: string, status: string) => messages.inc({ channel, status }),
		count: (alerts: readonly Alert[]) => {
			for (const { kind, state } of alerts) changes.inc({ kind, state });
		},
	};
}

/** The gauge of the leader, for `onLeading`. */
export const LEADER_GAUGE = {
	name: 'notification_on_duty',
	help: '1 in the replica that evaluates rules and announces alerts, 0 in the others',
};
