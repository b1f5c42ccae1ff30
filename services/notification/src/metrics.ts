import type { Alert } from '@crowdvision/contracts';
import { Counter, type Registry } from '@crowdvision/service-kit';

/** The metrics of notification, without the leader's gauge, which `LEADER_GAUGE` describes. */
export function notificationMetrics(registry: Registry) {
	const changes = new Counter({
		name: 'notification_alerts_total',
		help: 'Alerts opened and resolved',
		labelNames: ['kind', 'state'],
		registers: [registry],
	});
	return {
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
