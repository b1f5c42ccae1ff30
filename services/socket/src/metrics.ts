import { Counter, collectedMetrics, Histogram, type Registry } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';

/** The metrics that the feed and the dashboards count with. */
export function socketMetrics(registry: Registry) {
	const registers = [registry];
	return {
		superseded: new Counter({
			name: 'socket_superseded_total',
			help: 'How often a dashboard got the latest values instead of all readings, by reason: slow or cursor_expired',
			labelNames: ['reason'],
			registers,
		}),
		rejected: new Counter({
			name: 'socket_rejected_total',
			help: 'Entries of the stream that are no valid reading',
			registers,
		}),
		repeated: new Counter({
			name: 'socket_repeated_total',
			help: 'Readings that gateways appended again after Redis had lost them',
			registers,
		}),
		delay: new Histogram({
			name: 'socket_delay_seconds',
			help: 'From the receipt of a reading at its gateway to its emission; of readings sent together, the oldest',
			buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
			registers,
		}),
	};
}

/** The gauges that are read from the dashboards when Prometheus asks. */
export function dashboardGauges(registry: Registry, dashboards: Dashboards): void {
	const { gauge } = collectedMetrics(registry);
	gauge('socket_dashboards', 'Connected dashboards', () => dashboards.count);
	gauge(
		'socket_conflated',
		'Subscriptions of slow dashboards, which get the latest values only for now',
		() => dashboards.conflated,
	);
}
